import { describe, expect, it } from "vitest";
import { EventType } from "./event.ts";
import { LargeEvent, PIECE_BYTES } from "./large-event.ts";

const TYPE_AT = 4;
const LENGTH_AT = 9;

/** The event's packet: the byte that comes first, and an event that says it is so long. */
function packet(length: number, said: number = length): Buffer {
  const bytes = Buffer.alloc(1 + length, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
  bytes.writeUInt32LE(said, 1 + LENGTH_AT);
  return bytes;
}

/** What is queued of a packet in parts that end there. */
function queued(bytes: Buffer, ends: readonly number[]): Uint8Array[] {
  const events: Uint8Array[] = [];
  let room = new Uint8Array(0);
  const event = new LargeEvent({
    begin: (length) => (room = new Uint8Array(length)),
    begun: (rest) => void events.push(room, ...rest),
  });
  let start = 0;
  for (const end of [...ends, bytes.length]) {
    event.add(bytes, start, end);
    start = end;
  }
  event.end();
  return events;
}

describe("a large event", () => {
  it("is put together from parts, wherever they are cut", () => {
    const bytes = packet(40);
    for (let cut = 0; cut <= bytes.length; cut++)
      expect(queued(bytes, [cut, Math.min(cut + 1, bytes.length)])).toEqual([new Uint8Array(bytes.subarray(1))]);
  });

  it.each([
    ["ends with a piece", 3 * PIECE_BYTES, [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES]],
    ["ends just behind one", 3 * PIECE_BYTES + 1, [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES + 1]],
    ["is of less than two", 2 * PIECE_BYTES - 1, [2 * PIECE_BYTES - 1]],
  ])("is left in pieces where it is a compressed transaction that %s", (_, length, sizes) => {
    const bytes = packet(length);
    bytes[1 + TYPE_AT] = EventType.transactionPayload;
    const pieces = queued(bytes, [1, 20, PIECE_BYTES, PIECE_BYTES + 700_000]);
    expect(pieces.map((piece) => piece.length)).toEqual(sizes);
    expect(Buffer.concat(pieces).equals(bytes.subarray(1))).toBe(true);
  });

  it.each([
    ["longer than it says", packet(40, 39)],
    ["shorter than it says", packet(40, 41)],
    ["none", packet(40, 0)],
    ["longer than any can be", packet(40, 0xffff_ffff)],
    ["cut in its header", Buffer.alloc(5)],
  ])("is refused where it is %s", (_, bytes) => {
    expect(() => queued(bytes, [])).toThrow(expect.objectContaining({ code: "LOG_NOT_UNDERSTOOD" }));
  });
});
