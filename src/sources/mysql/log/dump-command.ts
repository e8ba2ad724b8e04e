import { createHash } from "node:crypto";
import type { MysqlOptions } from "../config.ts";
import { FILE_START, FilePosition } from "../position/file-position.ts";
import type { GtidSet } from "../position/gtid-set.ts";
import type { GtidPosition } from "../position/mariadb-gtid.ts";
import { type Flavour, type LogPosition, MysqlPosition } from "../position.ts";

const COM_BINLOG_DUMP = 0x12;
const COM_BINLOG_DUMP_GTID = 0x1e;
/** The server ends the dump where the log ends, and does not wait for more (both servers: `BINLOG_DUMP_NON_BLOCK`). */
const NO_WAIT = 1;
/** The least that a server is asked for; it sends one when it had nothing else to send for so long. */
const HEARTBEAT_NS = 1_000_000_000;
/** How long the server waits for us to read on: a sink may keep us from it for long. */
const NET_WRITE_TIMEOUT_S = 3600;
/** What MariaDB's replicas say they understand: GTIDs. */
const MARIADB_CAPABILITY = 4;
const NO_TAG = 0;
const WITH_TAGS = 1;

/** What a session says and asks to get the log. */
export interface Dump {
  readonly preamble: string;
  readonly command: Uint8Array;
  /** For messages. */
  readonly from: string;
}

/** Everything from where a reading at the position begins, and what comes. */
export function dumpFrom(options: MysqlOptions, from: LogPosition): Dump {
  const { serverId } = options;
  const preamble = mysqlPreamble(replicaName(options));
  if (from instanceof FilePosition)
    return { preamble, command: fileDump(serverId, from.restart.file, from.restart.ask), from: from.toString() };
  if (from instanceof MysqlPosition)
    return { preamble, command: mysqlDump(serverId, from.restartGtids), from: from.toString() };
  return {
    preamble: mariadbPreamble(from.restartGtids),
    command: fileDump(serverId, "", FILE_START),
    from: from.toString(),
  };
}

/**
 * What the log has from a file's beginning on, to its end as it is now. On MySQL it is another replica that asks, so that
 * the server does not end the pipeline's own dump; MariaDB goes by the server's id alone.
 */
export function dumpFile(options: MysqlOptions, flavour: Flavour, file: string): Dump {
  return {
    preamble: flavour === "mysql" ? mysqlPreamble(`${replicaName(options)} looks`) : mariadbPreamble(null),
    command: fileDump(options.serverId, file, FILE_START, NO_WAIT),
    from: file,
  };
}

/** MySQL tells replicas apart by a UUID alone: with another `server-id` it is another one. */
function replicaName({ pipeline, serverId }: MysqlOptions): string {
  return `${pipeline} ${serverId}`;
}

/** What a session says of itself before it asks MySQL for the log. The old names are those that every version knows. */
function mysqlPreamble(name: string): string {
  const uuid = replicaUuid(name);
  return `SET ${[
    "@master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum",
    `@master_heartbeat_period = ${HEARTBEAT_NS}, @source_heartbeat_period = ${HEARTBEAT_NS}`,
    `@slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`,
    `SESSION net_write_timeout = ${NET_WRITE_TIMEOUT_S}`,
  ].join(", ")}`;
}

/** The same for MariaDB, which is also told here where to begin, unless its command names a file. */
function mariadbPreamble(from: GtidPosition | null): string {
  const gtids = [
    `@slave_connect_state = '${from?.toString()}'`,
    "@slave_gtid_strict_mode = 1",
    "@slave_gtid_ignore_duplicates = 0",
  ];
  return `SET ${[
    "@master_binlog_checksum = @@global.binlog_checksum",
    `@master_heartbeat_period = ${HEARTBEAT_NS}`,
    `@mariadb_slave_capability = ${MARIADB_CAPABILITY}`,
    ...(from === null ? [] : gtids),
    `SESSION net_write_timeout = ${NET_WRITE_TIMEOUT_S}`,
  ].join(", ")}`;
}

/** The same for a pipeline at every start, so that the server ends a dump of the run before that it has not missed yet. */
function replicaUuid(name: string): string {
  const hex = createHash("sha256").update(`millrace ${name}`).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}

/** COM_BINLOG_DUMP: from a file's offset on, which has 32 bits here; without a file from the first one there is. */
export function fileDump(serverId: number, file: string, offset: number, flags: number = 0): Uint8Array {
  const payload = Buffer.alloc(11);
  payload[0] = COM_BINLOG_DUMP;
  payload.writeUInt32LE(offset, 1);
  payload.writeUInt16LE(flags, 5);
  payload.writeUInt32LE(serverId, 7);
  return Buffer.concat([payload, Buffer.from(file)]);
}

/** COM_BINLOG_DUMP_GTID: everything in the log that is not in `done`. */
export function mysqlDump(serverId: number, done: GtidSet): Uint8Array {
  const set = encodedGtids(done);
  const head = Buffer.alloc(23);
  head[0] = COM_BINLOG_DUMP_GTID;
  head.writeUInt16LE(0, 1);
  head.writeUInt32LE(serverId, 3);
  head.writeUInt32LE(0, 7); // no file name
  head.writeBigUInt64LE(BigInt(FILE_START), 11);
  head.writeUInt32LE(set.length, 19);
  return Buffer.concat([head, set]);
}

/**
 * A set of GTIDs as MySQL's `Gtid_set::encode` writes it: the number of sources, then each with its UUID, its intervals'
 * number and their ends (the last one excluded), all 64-bit little-endian. With tags (MySQL 8.3) the number shares its
 * bytes with a format, first and last, and each UUID is followed by its tag.
 */
export function encodedGtids(set: GtidSet): Buffer {
  const entries = set.entries();
  const format = entries.some(([source]) => source.includes(":")) ? WITH_TAGS : NO_TAG;
  const count = Buffer.alloc(8);
  if (format === NO_TAG) count.writeBigUInt64LE(BigInt(entries.length));
  else {
    count.writeUIntLE(entries.length, 1, 6);
    count[0] = count[7] = format;
  }
  const parts: Buffer[] = [count];
  for (const [source, intervals] of entries) {
    const [uuid, tag] = source.split(":") as [string, string?];
    parts.push(Buffer.from(uuid.replaceAll("-", ""), "hex"));
    // A length of one byte, doubled: tags have at most 32 characters (MySQL's serialization library, variable-length integers).
    if (format === WITH_TAGS) parts.push(Buffer.from([(tag?.length ?? 0) << 1]), Buffer.from(tag ?? "", "latin1"));
    const ends = Buffer.alloc(8 + intervals.length * 16);
    ends.writeBigUInt64LE(BigInt(intervals.length));
    for (const [i, { first, last }] of intervals.entries()) {
      ends.writeBigUInt64LE(first, 8 + i * 16);
      ends.writeBigUInt64LE(last + 1n, 16 + i * 16);
    }
    parts.push(ends);
  }
  return Buffer.concat(parts);
}
