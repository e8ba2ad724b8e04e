import { checkedEnd, HEADER_BYTES, NO_REST } from "./event.ts";
import { BinlogFields, type Broken } from "./fields.ts";
import { serverNumber } from "../ddl/sql-tokens.ts";

const SERVER_VERSION_BYTES = 50;
const BINLOG_VERSION = 4;
/** Version, server version, creation time, header length: what comes before the array. */
const BEFORE_ARRAY = 2 + SERVER_VERSION_BYTES + 4 + 1;
const FORMAT_DESCRIPTION_TYPE = 15;
const CHECKSUM_BYTES = 4;
const FLAGS_AT = 17;
const IN_USE_FLAG = 0x01;
const CHECKSUM_NONE = 0;
const CHECKSUM_CRC32 = 1;

/** How the events behind a FORMAT_DESCRIPTION event are made. */
export class BinlogFormat {
  /** Whether four bytes of CRC32 stand behind each event. */
  readonly checksums: boolean;
  /** As versioned comments have it: `90704`. */
  readonly serverVersion: number;
  readonly #postHeaders: Uint8Array;

  private constructor(checksums: boolean, serverVersion: number, postHeaders: Uint8Array) {
    this.checksums = checksums;
    this.serverVersion = serverVersion;
    this.#postHeaders = postHeaders;
  }

  /** Bytes between the header and the body of an event of that type; −1 where the server does not say. */
  postHeaderBytes(type: number): number {
    return this.#postHeaders[type - 1] ?? -1;
  }

  /**
   * The whole event. Its array of post-header sizes is as long as the event's own size in it says: Aurora has more
   * bytes behind it. Then one byte names the checksum algorithm; the event's own checksum is there in any case.
   */
  static read(b: Uint8Array, start: number, end: number, broken: Broken): BinlogFormat {
    const fields = new BinlogFields(b, start + HEADER_BYTES, end - CHECKSUM_BYTES, broken);
    const version = fields.uint16();
    if (version !== BINLOG_VERSION) throw broken(`a binlog of version ${version}`);
    const server = fields.text(SERVER_VERSION_BYTES);
    fields.uint32();
    if (fields.uint8() !== HEADER_BYTES) throw broken("headers of another size");
    const arrayStart = fields.at;
    const own = b[arrayStart + FORMAT_DESCRIPTION_TYPE - 1];
    if (fields.left < FORMAT_DESCRIPTION_TYPE || own === undefined || own < BEFORE_ARRAY + FORMAT_DESCRIPTION_TYPE)
      throw broken("a list of sizes that is too short");
    fields.skip(own - BEFORE_ARRAY);
    const algorithm = fields.uint8();
    if (algorithm !== CHECKSUM_NONE && algorithm !== CHECKSUM_CRC32) throw broken(`checksums of kind ${algorithm}`);
    if (algorithm === CHECKSUM_CRC32) checkOwn(b.slice(start, end), broken);
    return new BinlogFormat(
      algorithm === CHECKSUM_CRC32,
      serverNumber(server),
      b.slice(arrayStart, arrayStart + own - BEFORE_ARRAY),
    );
  }
}

/** Its checksum was made before the server set the flag that says that the file is in use. */
function checkOwn(event: Uint8Array, broken: Broken): void {
  event[FLAGS_AT]! &= ~IN_USE_FLAG;
  checkedEnd(event, 0, event.length, NO_REST, broken);
}
