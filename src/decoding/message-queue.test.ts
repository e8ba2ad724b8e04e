import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MessageQueue } from "./message-queue.ts";

interface Entry {
  readonly kind: "message";
  readonly tag: number;
  readonly size: number;
  readonly inParts: boolean;
  /** Of pieces behind it. */
  readonly rest: readonly number[];
}
type Step = Entry | { readonly kind: "take"; readonly count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("message" as const),
    tag: fc.nat(255),
    size: fc.oneof(fc.nat(50), fc.nat(300_000)),
    inParts: fc.boolean(),
    rest: fc.array(fc.nat(5000), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("take" as const), count: fc.nat(8) }),
);

describe("the queue of a log's messages", () => {
  it("gives back what was put in, in order, and counts its bytes down to nothing", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new MessageQueue();
        const expected: Entry[] = [];
        let serial = 0;
        let taken = 0;
        const take = (): void => {
          const entry = expected[taken]!;
          expect(queue.next()).toBe(true);
          expect(queue.tag).toBe(entry.tag);
          expect(queue.end - queue.start).toBe(entry.size);
          if (entry.size > 0) expect(queue.data[queue.start]).toBe(taken % 251);
          if (entry.size > 0) expect(queue.data[queue.end - 1]).toBe(taken % 251);
          const rest = entry.inParts ? entry.rest : [];
          expect(queue.rest.map((piece) => piece.length)).toEqual(rest);
          const behind = rest.reduce((sum, bytes) => sum + bytes, 0);
          expect(queue.heldBytes).toBe(queue.bytes + entry.size + behind);
          if (taken++ % 3 === 0) queue.forget();
        };
        for (const what of steps) {
          if (what.kind === "take") {
            for (let i = 0; i < what.count && taken < expected.length; i++) take();
            continue;
          }
          if (what.inParts) {
            queue.begin(what.tag, what.size).fill(serial % 251);
            queue.pushBegun(what.rest.map((bytes) => new Uint8Array(bytes)));
          } else queue.push(what.tag, new Uint8Array(what.size).fill(serial % 251));
          serial++;
          expected.push(what);
        }
        while (taken < expected.length) take();
        expect(queue.next()).toBe(false);
        expect(queue.isEmpty).toBe(true);
      }),
    );
  });
});
