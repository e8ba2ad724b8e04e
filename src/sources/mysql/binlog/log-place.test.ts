import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { EventType, HEADER_BYTES } from "./event.ts";
import { FilePosition, FileTransaction } from "../position/file-position.ts";
import { LogPlace } from "./log-place.ts";

const TWO_32 = 2 ** 32;

/** An event of so many bytes whose header says that it ends at an offset. */
function event(type: number, bytes: number, offset: number, seconds: number = 1): Buffer {
  const b = Buffer.alloc(bytes);
  b.writeUInt32LE(seconds, 0);
  b[4] = type;
  b.writeUInt32LE(bytes, 9);
  b.writeUInt32LE(offset % TWO_32, 13);
  return b;
}

function rotate(file: string, offset: number, checksum: boolean): Buffer {
  const b = event(EventType.rotate, HEADER_BYTES + 8 + file.length + (checksum ? 4 : 0), 0);
  b.writeBigUInt64LE(BigInt(offset), HEADER_BYTES);
  b.write(file, HEADER_BYTES + 8);
  if (checksum) b.writeUInt32LE(crc32(b.subarray(0, -4)), b.length - 4);
  return b;
}

function follow(place: LogPlace, ...events: readonly Buffer[]): void {
  for (const each of events) place.see(each, 0, each.length);
}

test.each([true, false])("a reader's place begins where the server says, with checksums: %s", (checksum) => {
  const place = new LogPlace();
  follow(place, rotate("binlog.000007", 1234, checksum), event(EventType.formatDescription, 120, 0, 77));
  expect(place.boundary()).toEqual({ file: "binlog.000007", offset: 1234, ask: 1234, begun: 77 });
  follow(place, event(EventType.anonymousGtid, 80, 1314));
  expect([place.start, place.offset]).toEqual([1234, 1314]);
});

test("a heartbeat does not move it, and the next file's beginning is not known before its first event", () => {
  const place = new LogPlace();
  follow(place, rotate("binlog.000007", 4, true), event(EventType.formatDescription, 120, 124, 77));
  follow(place, event(EventType.heartbeat, 40, 9999), event(EventType.heartbeatV2, 40, 0));
  expect(place.boundary()).toMatchObject({ offset: 124, begun: 77 });
  follow(place, rotate("binlog.000008", 4, true));
  expect(place.boundary()).toEqual({ file: "binlog.000008", offset: 4, ask: 4, begun: 0 });
});

test("offsets go on behind 4 GiB, and the log is asked for from the last place that can be named", () => {
  const place = new LogPlace();
  follow(place, rotate("binlog.000007", 4, false), event(EventType.anonymousGtid, 80, 1000));
  place.boundary();
  follow(place, event(EventType.anonymousGtid, 80, 1080));
  for (let offset = 1080; offset < TWO_32 + 5000;) {
    const bytes = 1_000_000_000;
    offset += bytes;
    // What the place sees of an event is its length and where its header says that it ends.
    const head = event(EventType.writeRows, HEADER_BYTES, offset);
    place.see(head, 0, HEADER_BYTES);
  }
  const { offset, ask } = place.boundary();
  expect([offset, ask]).toEqual([5_000_001_080, 1000]);
  const position = new FilePosition("uuid", place.boundary());
  expect(position.has(new FileTransaction("binlog.000007", 1000, 0))).toBe(true);
  expect(position.has(new FileTransaction("binlog.000007", offset, 0))).toBe(false);
});
