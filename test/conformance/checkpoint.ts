import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noFailpoints, type Ambient, type Failpoint, type FailpointHook } from "../../src/core/ambient.ts";
import type { CheckpointStore, StoredEpochs, StoreOpening } from "../../src/core/checkpoint-store.ts";
import type { MillraceError } from "../../src/core/errors.ts";
import type { Json } from "../../src/core/json.ts";
import { applyEpoch, type CommittedRecord, type EpochRecord } from "../../src/core/record.ts";
import { testAmbient } from "../support/test-ambient.ts";
import { DEADLINE_MS, within } from "../support/wait-for.ts";

/** Where one pipeline's checkpoint lives, for one test. */
export interface CheckpointPlace extends AsyncDisposable {
  /** The failpoints that this kind of store passes. */
  readonly failpoints: readonly Failpoint[];
  /** Another store over the same place, as a new process makes it. */
  store(ambient: Ambient): CheckpointStore;
}

/** How a test takes a store. */
export function opening(change: Partial<StoreOpening> = {}): StoreOpening {
  return { signal: AbortSignal.timeout(DEADLINE_MS), ...change };
}

export const PIPELINE = "shop to warehouse";

export function epochRecord(epoch: number, token: number, parts: Record<string, Json> = {}): EpochRecord {
  return { pipeline: PIPELINE, epoch, token, parts: new Map(Object.entries({ position: `0/${epoch}`, ...parts })) };
}

/** A quiet ambient for tests, with the warnings it was given. */
export function quietAmbient(failpoint: FailpointHook = noFailpoints): Ambient & { readonly warnings: string[] } {
  const warnings: string[] = [];
  const { logger, ...ambient } = testAmbient({ failpoint });
  return { ...ambient, warnings, logger: { ...logger, warn: (message) => void warnings.push(message) } };
}

/** Plain values, so that a mismatch is readable. */
function plain(record: CommittedRecord | null): unknown {
  return record === null ? null : { ...record, parts: Object.fromEntries(record.parts) };
}

export function plainStored(stored: StoredEpochs | null): unknown {
  return stored === null ? null : { confirmed: plain(stored.confirmed), newest: plain(stored.newest) };
}

/** One call on a store that may be cut off by a crash. */
type Step =
  | { readonly kind: "put"; readonly record: EpochRecord }
  | { readonly kind: "confirm"; readonly epoch: number }
  | { readonly kind: "reset"; readonly record: CommittedRecord };

async function take(store: CheckpointStore, step: Step): Promise<void> {
  if (step.kind === "put") await store.put(step.record);
  else if (step.kind === "confirm") await store.confirm(step.epoch);
  else await store.reset(step.record);
}

/** What a store holds, told from the steps alone. */
function expected(steps: readonly Step[]): StoredEpochs | null {
  return steps.reduce<StoredEpochs | null>((stored, step) => {
    if (step.kind === "reset") return { confirmed: step.record, newest: step.record };
    if (step.kind === "confirm") return stored;
    return { confirmed: stored?.newest ?? null, newest: applyEpoch(stored?.newest ?? null, step.record) };
  }, null);
}

/** What is certainly confirmed may be told as newer by a store that remembers its confirmations. */
function agrees(actual: StoredEpochs | null, steps: readonly Step[]): void {
  const model = expected(steps);
  const last = steps.at(-1);
  const confirmed =
    last?.kind === "confirm" && actual?.confirmed?.epoch === last.epoch ? model?.newest : model?.confirmed;
  expect(plainStored(actual)).toEqual(
    model === null ? null : { confirmed: plain(confirmed ?? null), newest: plain(model.newest) },
  );
}

/** A life of a store in which parts come, change and go, and which is put back twice. */
function script(epochs: number): Step[] {
  const steps: Step[] = [];
  const reset = (epoch: number, token: number): void =>
    void steps.push({
      kind: "reset",
      record: { epoch, token, parts: new Map(Object.entries({ source: { id: `s${token}` }, position: "0/F" })) },
    });
  const run = (first: number, token: number): void => {
    for (let epoch = first; epoch < first + epochs; epoch++) {
      const parts = { [`table/t${epoch % 5}`]: epoch % 3 === 0 ? null : { rows: epoch, text: "é\n\u2028\ud800" } };
      steps.push({ kind: "put", record: epochRecord(epoch, token, parts) }, { kind: "confirm", epoch });
    }
  };
  run(1, 1);
  reset(epochs + 10, 2);
  run(epochs + 11, 2);
  reset(3, 3);
  run(4, 4);
  return steps;
}

/** The contract of `src/core/checkpoint-store.ts`. */
export function checkpointConformance(name: string, makePlace: () => CheckpointPlace): void {
  describe(`checkpoint store: ${name}`, () => {
    let place: CheckpointPlace;
    beforeEach(() => void (place = makePlace()));
    afterEach(() => place[Symbol.asyncDispose]());

    async function reopened(): Promise<StoredEpochs | null> {
      await using store = place.store(quietAmbient());
      return await store.open(opening());
    }

    test("an untouched store holds nothing", async () => {
      expect(await reopened()).toBeNull();
      expect(await reopened()).toBeNull();
    });

    test("a first epoch is there again, and nothing stands before it", async () => {
      {
        await using store = place.store(quietAmbient());
        expect(await store.open(opening())).toBeNull();
        await store.put(epochRecord(1, 1, { "table/a": { rows: 1 } }));
      }
      expect(plainStored(await reopened())).toEqual({
        confirmed: null,
        newest: { epoch: 1, token: 1, parts: { position: "0/1", "table/a": { rows: 1 } } },
      });
    });

    test("the epoch before the newest is kept until the newest is confirmed, and beyond", async () => {
      const steps: Step[] = [];
      for (const step of script(4).slice(0, 8)) {
        await using store = place.store(quietAmbient());
        agrees(await store.open(opening()), steps);
        await take(store, step);
        steps.push(step);
      }
      agrees(await reopened(), steps);
    });

    test("long lives: every reopening finds what was put", async () => {
      const steps = script(80);
      for (let done = 0; done <= steps.length; done += 61) {
        await using store = place.store(quietAmbient());
        agrees(await store.open(opening()), steps.slice(0, done));
        for (const step of steps.slice(done, done + 61)) await take(store, step);
      }
      agrees(await reopened(), steps);
    });

    test("an epoch that is not the next is fenced, and changes nothing", async () => {
      await using store = place.store(quietAmbient());
      await store.open(opening());
      await expect(store.put(epochRecord(2, 1))).rejects.toMatchObject({ code: "FENCED" });
      await store.put(epochRecord(1, 1));
      await expect(store.put(epochRecord(1, 1))).rejects.toMatchObject({ code: "FENCED" });
      await expect(store.put(epochRecord(3, 1))).rejects.toMatchObject({ code: "FENCED" });
      await store[Symbol.asyncDispose]();
      agrees(await reopened(), [{ kind: "put", record: epochRecord(1, 1) }]);
    });

    test("a lower token is fenced, in reset an equal one too; a higher one takes over", async () => {
      await using store = place.store(quietAmbient());
      await store.open(opening());
      await store.put(epochRecord(1, 5));
      await expect(store.put(epochRecord(2, 4))).rejects.toMatchObject({ code: "FENCED" });
      await expect(store.reset({ epoch: 9, token: 5, parts: new Map() })).rejects.toMatchObject({ code: "FENCED" });
      await store.put(epochRecord(2, 6));
      await expect(store.put(epochRecord(3, 5))).rejects.toMatchObject({ code: "FENCED" });
      await store[Symbol.asyncDispose]();
      agrees(await reopened(), [
        { kind: "put", record: epochRecord(1, 5) },
        { kind: "put", record: epochRecord(2, 6) },
      ]);
    });

    test("reset to the epoch before the first empties it but for the token", async () => {
      {
        await using store = place.store(quietAmbient());
        await store.open(opening());
        await store.put(epochRecord(1, 1));
        await store.reset({ epoch: 0, token: 2, parts: new Map() });
        await expect(store.put(epochRecord(1, 1))).rejects.toMatchObject({ code: "FENCED" });
      }
      const nothing = { epoch: 0, token: 2, parts: {} };
      expect(plainStored(await reopened())).toEqual({ confirmed: nothing, newest: nothing });
    });

    test("one store at a time: the second is refused until the first is closed", async () => {
      await using first = place.store(quietAmbient());
      await first.open(opening());
      await first.put(epochRecord(1, 1));
      await expect(reopened()).rejects.toMatchObject({ code: "CHECKPOINT_LOCKED" });
      await first.put(epochRecord(2, 1));
      await first[Symbol.asyncDispose]();
      expect((await reopened())?.newest.epoch).toBe(2);
    });

    test("says that it is taken, and not that it is refused", async () => {
      await using first = place.store(quietAmbient());
      await using second = place.store(quietAmbient());
      const told: string[] = [];
      await first.open(opening({ taken: () => told.push("first") }));
      const refused = second.open(opening({ taken: () => told.push("second") }));
      await expect(refused).rejects.toMatchObject({ code: "CHECKPOINT_LOCKED" });
      expect(told).toEqual(["first"]);
    });

    test("taken over from one that lives: that one is fenced, before and after", async () => {
      await using first = place.store(quietAmbient());
      await first.open(opening());
      await first.put(epochRecord(1, 1));
      await using second = place.store(quietAmbient());
      const stored = await second.open(opening({ takeOver: true }));
      expect(stored?.newest.epoch).toBe(1);
      await expect(first.put(epochRecord(2, 1))).rejects.toMatchObject({ code: "FENCED" });
      const token = stored!.newest.token + 1;
      await second.reset({ ...stored!.newest, token });
      await expect(first.put(epochRecord(2, 1))).rejects.toMatchObject({ code: "FENCED" });
      await first[Symbol.asyncDispose]();
      await expect(reopened()).rejects.toMatchObject({ code: "CHECKPOINT_LOCKED" });
      await second.put(epochRecord(2, token));
      await second[Symbol.asyncDispose]();
      expect((await reopened())?.newest).toMatchObject({ epoch: 2, token });
    });

    test("one that puts nothing is told of it, too", async () => {
      await using first = place.store(quietAmbient());
      let takenOver: (error: MillraceError) => void = () => undefined;
      const told = new Promise<MillraceError>((resolve) => (takenOver = resolve));
      await first.open(opening({ takenOver }));
      await first.put(epochRecord(1, 1));
      await using second = place.store(quietAmbient());
      await second.open(opening({ takeOver: true }));
      expect(await within("the first to be told", told)).toMatchObject({ code: "FENCED" });
    });

    test("reading takes nothing, and removing takes all but from one that has it", async () => {
      await using store = place.store(quietAmbient());
      await store.open(opening());
      await store.put(epochRecord(1, 1));
      await using other = place.store(quietAmbient());
      expect((await other.read(opening().signal))?.newest.epoch).toBe(1);
      await expect(other.remove(opening().signal)).rejects.toMatchObject({ code: "CHECKPOINT_LOCKED" });
      await store.put(epochRecord(2, 1));
      await store[Symbol.asyncDispose]();
      await other.remove(opening().signal);
      expect(await other.read(opening().signal)).toBeNull();
      expect(await reopened()).toBeNull();
    });

    test("of two that start at the same moment one gets it, a hundred times", async () => {
      for (let round = 0; round < 100; round++) {
        const stores = [place.store(quietAmbient()), place.store(quietAmbient())] as const;
        const opened = await Promise.allSettled(stores.map((store) => store.open(opening())));
        const refused = opened.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
        // Both may find the other there, and neither has it then.
        expect(refused.length, `round ${round}`).toBeGreaterThanOrEqual(1);
        for (const error of refused) expect(error).toMatchObject({ code: "CHECKPOINT_LOCKED" });
        for (const store of stores) await store[Symbol.asyncDispose]();
      }
      expect(await reopened()).toBeNull();
    });

    test("a store that is not open says so", async () => {
      await using store = place.store(quietAmbient());
      await expect(store.put(epochRecord(1, 1))).rejects.toMatchObject({ code: "INTERNAL" });
    });

    test("a crash at any failpoint leaves the state before the step or after it", async () => {
      const steps = script(67);
      const crashes = new Set<Failpoint>();
      let done = 0;
      for (let crashAt = 1; done < steps.length; crashAt = (crashAt % 7) + 1) {
        let calls = 0;
        await using store = place.store(
          quietAmbient((at) => {
            // At each one when it is first passed, however rare it is.
            if (++calls < crashAt && crashes.has(at)) return;
            crashes.add(at);
            throw new Error(`crash at ${at}`);
          }),
        );
        done = settle(await store.open(opening()), steps, done);
        try {
          while (done < steps.length) {
            await take(store, steps[done]!);
            done++;
          }
        } catch (error) {
          expect(String(error)).toContain("crash at");
        }
      }
      agrees(await reopened(), steps);
      expect([...crashes].sort()).toEqual([...place.failpoints].sort());
    });
  });
}

/** After a crash in step `done`: whether it counts or not, told by what is there, which must be one of the two. */
function settle(actual: StoredEpochs | null, steps: readonly Step[], done: number): number {
  const step = steps[done];
  const took = step !== undefined && step.kind !== "confirm" && sameStored(actual, expected(steps.slice(0, done + 1)));
  const now = took ? done + 1 : done;
  agrees(actual, steps.slice(0, now));
  return now;
}

function sameStored(a: StoredEpochs | null, b: StoredEpochs | null): boolean {
  return isDeepStrictEqual(plainStored(a), plainStored(b));
}
