import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binlogEvents } from "../../../../test/support/mysql-binlog.ts";
import { projectRoot } from "../../../../test/support/project-root.ts";
import { MillraceError } from "../../../core/errors.ts";
import { EventType } from "./event.ts";
import { TransactionPayload } from "./transaction-payload.ts";

const CHECKSUM_BYTES = 4;
const HEADER_BYTES = 19;
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

const broken = (what: string): MillraceError => new MillraceError("LOG_NOT_UNDERSTOOD", what);

/** A recorded TRANSACTION_PAYLOAD event, without its checksum. */
function recorded(): Buffer {
  const events = binlogEvents(readFileSync(join(projectRoot, "test", "fixtures", "binlog", "mysql-9.7.binlog")));
  return events.find((event) => event[4] === EventType.transactionPayload)!.subarray(0, -CHECKSUM_BYTES);
}

/** The event cut at these places. */
function events(event: Uint8Array, cuts: readonly number[] = []): Buffer[] {
  const rest = cuts.map((cut, i) => event.subarray(cut, cuts[i + 1]));
  const payload = new TransactionPayload(event, 0, cuts[0] ?? event.length, broken, rest);
  const found: Buffer[] = [];
  while (payload.next()) found.push(Buffer.from(payload.bytes.subarray(payload.start, payload.end)));
  expect(rest).toEqual([]);
  return found;
}

/** A payload of one frame. */
function compressed(frame: Buffer, bytes: number): Buffer {
  const fields = Buffer.from([1, 1, frame.length, 2, 1, 0, 3, 1, bytes, 0]);
  return Buffer.concat([Buffer.alloc(HEADER_BYTES), fields, frame]);
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

  it("has the same events where it comes in pieces, and lets go of each", () => {
    const event = recorded();
    const found = Buffer.concat(events(event));
    const frame = event.indexOf(ZSTD_MAGIC);
    for (let cut = frame; cut < event.length; cut += 5) {
      const pieces = events(event, [frame, cut, Math.min(cut + 3, event.length)]);
      expect(Buffer.concat(pieces).equals(found)).toBe(true);
    }
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

  it("refuses a Huffman tree whose weights take no bits, which fzstd 0.1.1 would read for ever", () => {
    // Accuracy 5, and a first symbol that has all of 32; or two without any before it, which is the same.
    for (const table of ["f003", "10fa01"].map((hex) => Buffer.from(hex, "hex"))) {
      const weights = Buffer.concat([table, Buffer.from("ffff80", "hex")]);
      const tree = Buffer.concat([Buffer.from([weights.length]), weights]);
      const literals = Buffer.concat([Buffer.from([0x02 | (9 << 4), 0, 3]), tree, Buffer.from([1, 0])]);
      const block = Buffer.from([(literals.length << 3) | 0x05, literals.length >> 5, 0]);
      const frame = Buffer.concat([ZSTD_MAGIC, Buffer.from([0x20, 100]), block, literals]);
      expect(() => events(compressed(frame, 100))).toThrow("a tree that has no end");
    }
  });

  it("ends in a MillraceError, if at all, whatever is changed in it", () => {
    const edit = fc.tuple(fc.nat(recorded().length - 1), fc.nat(255));
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
