import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ZSTD_MAGIC } from "../../../../test/fuzz/mutation.ts";
import { binlogEvents } from "../../../../test/support/mysql-binlog.ts";
import { projectRoot } from "../../../../test/support/project-root.ts";
import { MillraceError } from "../../../core/errors.ts";
import { EventType } from "./event.ts";
import { TransactionPayload } from "./transaction-payload.ts";

const CHECKSUM_BYTES = 4;
const HEADER_BYTES = 19;

const broken = (what: string): MillraceError => new MillraceError("LOG_NOT_UNDERSTOOD", what);

/** A recorded TRANSACTION_PAYLOAD event, without its checksum. */
function recorded(): Buffer {
  const events = binlogEvents(readFileSync(join(projectRoot, "test", "fixtures", "binlog", "mysql-9.7.binlog")));
  return events.find((event) => event[4] === EventType.transactionPayload)!.subarray(0, -CHECKSUM_BYTES);
}

function events(event: Uint8Array): Buffer[] {
  const payload = new TransactionPayload(event, 0, event.length, broken);
  const found: Buffer[] = [];
  while (payload.next()) found.push(Buffer.from(payload.bytes.subarray(payload.start, payload.end)));
  return found;
}

/** The same events, not compressed: their size, and that they are of kind 255. */
function uncompressed(...inside: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(inside);
  const size = Buffer.from([1, 3, 0xfc, bytes.length & 0xff, bytes.length >> 8]);
  return Buffer.concat([Buffer.alloc(HEADER_BYTES), size, Buffer.from([2, 3, 0xfc, 0xff, 0x00, 0]), bytes]);
}

describe("TransactionPayload", () => {
  it("has the events that the server compressed", () => {
    const found = events(recorded());
    const { query, tableMap, updateRows, xid } = EventType;
    expect(found.map((event) => event[4])).toEqual([query, tableMap, updateRows, xid]);
    expect(events(uncompressed(...found))).toEqual(found);
  });

  it("refuses what is cut, too long, or nothing at all", () => {
    const found = events(recorded());
    expect(() => events(uncompressed(...found, Buffer.alloc(5)))).toThrow("end too early");
    expect(() => events(uncompressed(...found, Buffer.alloc(30)))).toThrow("of no length");
    expect(() => events(recorded().subarray(0, -1))).toThrow("of another size");
    expect(() => events(Buffer.alloc(30))).toThrow("compressed events");
  });

  it("refuses a window that nothing needs", () => {
    const event = Buffer.from(recorded());
    const frame = event.indexOf(ZSTD_MAGIC);
    event[frame + 4] = 0;
    event[frame + 5] = 0xff;
    expect(() => events(event)).toThrow("too large a window");
  });

  /** Before what is compressed: of changed frames themselves, one in about 200,000 has no end for fzstd 0.1.1. */
  it("ends in a MillraceError, if at all, whatever stands before the frame", () => {
    const edit = fc.tuple(fc.nat(recorded().indexOf(ZSTD_MAGIC) - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(recorded().length), (edits, cut) => {
        const event = Buffer.from(recorded());
        for (const [at, value] of edits) event[at] = value;
        for (const bytes of [event, event.subarray(0, cut)])
          try {
            events(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(MillraceError);
          }
      }),
      { numRuns: 1500 },
    );
  });
});
