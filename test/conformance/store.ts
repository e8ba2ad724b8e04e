import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Committable, ObjectStore, StagedLeftover, StoreAbilities } from "../../src/stores/object-store.ts";
import type { Clock } from "../../src/core/ambient.ts";
import { systemClock } from "../../src/observe/system-clock.ts";
import { BRIEF_LENGTHS, expectBriefObject } from "./store-brief.ts";
import { expectLifeOfModel } from "./store-history.ts";
import { patternBytes } from "../support/pattern-bytes.ts";
import { Random } from "../support/random.ts";

/** Where one test's objects are. */
export interface StorePlace extends AsyncDisposable {
  readonly abilities: StoreAbilities;
  /** About which sizes something changes. */
  readonly partBytes: number;
  /** Whether the server does each request as one: whether a condition holds at the moment of the write, and not at a look before. */
  readonly atomic: boolean;
  /** Another store over the same place, as a new process makes it. */
  store(): ObjectStore;
}

const { signal } = new AbortController();
const ABSENT = { kind: "absent" } as const;

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export async function keysOf(store: ObjectStore, prefix: string = ""): Promise<string[]> {
  return (await all(store.list(prefix, signal))).map(({ key }) => key);
}

export async function leftoverKeys(store: ObjectStore, prefix: string = ""): Promise<string[]> {
  return (await all(store.leftovers(prefix, signal))).map(({ key }) => key).sort();
}

/** Waits for nothing: to be sure of a loss takes a store a few seconds. */
export const hurriedClock: Clock = { ...systemClock, sleep: () => Promise.resolve() };

/** Staged and finished. */
export async function staged(store: ObjectStore, key: string, content: Uint8Array): Promise<Committable> {
  const writer = store.stage(key, signal);
  await writer.write(content);
  return await writer.finish();
}

function expectBytes(actual: Uint8Array | null, expected: Uint8Array): void {
  expect(actual === null ? -1 : Buffer.compare(actual, expected)).toBe(0);
}

/** As it comes back from a checkpoint. */
function throughJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** The contract of `src/stores/object-store.ts`. */
export function storeConformance(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(`object store: ${name}`, () => {
    let place: StorePlace;
    let store: ObjectStore;
    beforeEach(async () => {
      place = await makePlace();
      store = place.store();
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    });

    test("opening says what it can do, as often as it is asked, and leaves nothing behind", async () => {
      expect(await store.open(signal)).toEqual(place.abilities);
      await store.put("a", bytesOf("a"), null, signal);
      expect(await store.open(signal)).toEqual(place.abilities);
      expect(await keysOf(store)).toEqual(["a"]);
      expect(await leftoverKeys(store)).toEqual([]);
    });

    describe("put", () => {
      beforeEach(async () => void (await store.open(signal)));

      test.each([0, 1, 1000, 3_000_000])("of %i bytes: what was put is there, with size and tag", async (length) => {
        const content = patternBytes(length);
        const info = await store.put("a/b", content, null, signal);
        expect(info).toMatchObject({ key: "a/b", bytes: length });
        expectBytes(await store.get("a/b", null, signal), content);
        expect(await store.head("a/b", signal)).toEqual(info);
        expect(await all(store.list("", signal))).toEqual([info]);
      });

      test.each(BRIEF_LENGTHS)("briefly: pieces lie one behind the other, and come in a pool's buffer", (...lengths) =>
        expectBriefObject(store, lengths),
      );

      test("replaces what is there, under another tag", async () => {
        const first = await store.put("a", bytesOf("first"), null, signal);
        const second = await store.put("a", bytesOf("other"), null, signal);
        expect(second.tag).not.toBe(first.tag);
        expectBytes(await store.get("a", null, signal), bytesOf("other"));
        expect(await store.head("a", signal)).toEqual(second);
      });

      test("where nothing is there: the second one is refused and changes nothing", async () => {
        const first = await store.put("a/b", bytesOf("first"), ABSENT, signal);
        const refused = store.put("a/b", bytesOf("second"), ABSENT, signal);
        await expect(refused).rejects.toMatchObject({ code: "STORE_CONDITION" });
        expectBytes(await store.get("a/b", null, signal), bytesOf("first"));
        expect(await store.head("a/b", signal)).toEqual(first);
        expect(await leftoverKeys(store)).toEqual([]);
        await store.delete(["a/b"], signal);
        await store.put("a/b", bytesOf("third"), ABSENT, signal);
      });

      test("where nothing has changed: with an old tag, or of what is gone, it is refused and changes nothing", async () => {
        const first = await store.put("a", bytesOf("first"), null, signal);
        const same = { kind: "same", tag: first.tag } as const;
        const second = await store.put("a", bytesOf("second"), same, signal);
        for (const content of ["third", "second"])
          await expect(store.put("a", bytesOf(content), same, signal)).rejects.toMatchObject({
            code: "STORE_CONDITION",
          });
        expectBytes(await store.get("a", null, signal), bytesOf("second"));
        await store.delete(["a"], signal);
        const gone = store.put("a", bytesOf("third"), { kind: "same", tag: second.tag }, signal);
        await expect(gone).rejects.toMatchObject({ code: "STORE_CONDITION" });
        expect(await store.get("a", null, signal)).toBeNull();
      });

      test("of many at once where nothing is there, one comes through", async () => {
        for (let round = 0; round < 5; round++) {
          const key = `claims/${round}`;
          const puts = Array.from({ length: 8 }, (_, i) => store.put(key, bytesOf(`claim ${i}`), ABSENT, signal));
          const results = await Promise.allSettled(puts);
          const won = results.flatMap(({ status }, i) => (status === "fulfilled" ? [i] : []));
          if (place.atomic) expect(won).toHaveLength(1);
          const winner = Buffer.from((await store.get(key, null, signal))!).toString();
          expect(won.map((i) => `claim ${i}`)).toContain(winner);
          for (const result of results)
            if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "STORE_CONDITION" });
        }
      });
    });

    describe("get", () => {
      const content = patternBytes(1000);
      beforeEach(async () => void (await store.open(signal)));

      test.each([
        [0, 1000],
        [0, 1],
        [999, 1000],
        [10, 20],
        [990, 2000],
        [1000, 2000],
        [5000, 6000],
        [7, 7],
      ])("from %i to %i: as of a subarray", async (from, to) => {
        await store.put("a", content, null, signal);
        expectBytes(await store.get("a", { from, to }, signal), content.subarray(from, to));
      });

      test("of what is not there is null, of a part of a key too", async () => {
        await store.put("a/b", content, null, signal);
        for (const key of ["b", "a", "a/c"]) {
          expect(await store.get(key, null, signal)).toBeNull();
          expect(await store.get(key, { from: 0, to: 5 }, signal)).toBeNull();
          expect(await store.get(key, { from: 5, to: 5 }, signal)).toBeNull();
          expect(await store.head(key, signal)).toBeNull();
        }
      });
    });

    describe("list and delete", () => {
      beforeEach(async () => void (await store.open(signal)));
      const KEYS = ["a-b/1", "a.b", "a/1", "a/2/x", "a0", "b", "z é", "z+%2F&#?=x", "é/漢", "🙂"];

      test("in the order of the keys' bytes, whatever is in them, and by any prefix", async () => {
        for (const key of [...KEYS].reverse()) await store.put(key, bytesOf(key), null, signal);
        for (const prefix of ["", "a", "a/", "a/2", "a-", "a/1", "z", "z+", "é/", "c", "a/1/", "b/"])
          expect(await keysOf(store, prefix)).toEqual(KEYS.filter((key) => key.startsWith(prefix)));
        for (const key of KEYS) expectBytes(await store.get(key, null, signal), bytesOf(key));
      });

      test("many of them, in pages or not", async () => {
        const keys = Array.from({ length: 1100 }, (_, i) => `many/${String(i).padStart(5, "0")}`);
        for (let at = 0; at < keys.length; at += 20)
          await Promise.all(keys.slice(at, at + 20).map((key) => store.put(key, bytesOf(key), null, signal)));
        expect(await keysOf(store, "many/")).toEqual(keys);
        await store.delete([...keys.slice(1), "many/none"], signal);
        expect(await keysOf(store)).toEqual(keys.slice(0, 1));
      });

      test("one may be left in the middle, and go on while objects come and go", async () => {
        for (const key of KEYS) await store.put(key, bytesOf(key), null, signal);
        const seen: string[] = [];
        for await (const { key } of store.list("", signal)) {
          seen.push(key);
          await store.delete([key], signal);
          if (seen.length === 3) break;
        }
        expect(await keysOf(store)).toEqual(KEYS.slice(3));
      });

      test("what is not there is nothing to a deletion", async () => {
        await store.put("a/b", bytesOf("x"), null, signal);
        await store.delete([], signal);
        await store.delete(["b", "a/c", "c/d"], signal);
        expect(await keysOf(store)).toEqual(["a/b"]);
      });
    });

    describe("staging", () => {
      beforeEach(async () => void (await store.open(signal)));

      test("of any size, in writes of any size: nobody sees it until it is completed, and then as a whole", async () => {
        const random = new Random(7);
        const { partBytes } = place;
        const sizes = [0, 1, partBytes - 1, partBytes, partBytes + 1, 2 * partBytes, 2 * partBytes + partBytes / 2];
        for (const size of sizes) {
          const [key, content] = [`t/size=${size}`, patternBytes(size, size)];
          const writer = store.stage(key, signal);
          for (let at = 0; at < size;) {
            const length = random.pick([1, 1000, 100_000, partBytes, 3 * partBytes]);
            await writer.write(content.slice(at, at + length));
            at += length;
          }
          expect(writer.bytes).toBe(size);
          const committable = throughJson(await writer.finish());
          expect(writer.heldBytes).toBe(0);
          expect(committable).toMatchObject({ key, bytes: size });
          expect(await keysOf(store)).not.toContain(key);
          expect(await store.head(key, signal)).toBeNull();
          expect(await store.get(key, null, signal)).toBeNull();
          await store.complete(committable, signal);
          expect((await store.head(key, signal))?.bytes).toBe(size);
          expectBytes(await store.get(key, null, signal), content);
        }
        expect(await keysOf(store)).toEqual(sizes.map((size) => `t/size=${size}`).sort());
        expect(await leftoverKeys(store)).toEqual([]);
      });

      test("completing may be repeated, by another process and at the same time", async () => {
        const committable = throughJson(await staged(store, "a/b", bytesOf("content")));
        await using other = place.store();
        if (place.atomic) await Promise.all([store, other, store].map((it) => it.complete(committable, signal)));
        for (const again of [store, other]) await again.complete(committable, signal);
        expectBytes(await other.get("a/b", null, signal), bytesOf("content"));
        expect(await leftoverKeys(other)).toEqual([]);
      });

      test("a process that ends leaves what it finished to be completed by the next", async () => {
        const before = place.store();
        const committable = throughJson(await staged(before, "a/b", patternBytes(place.partBytes + 5)));
        await before[Symbol.asyncDispose]();
        expect(await leftoverKeys(store)).toEqual(["a/b"]);
        await store.complete(committable, signal);
        expectBytes(await store.get("a/b", null, signal), patternBytes(place.partBytes + 5));
      });

      test("what was aborted or discarded, or is gone since it was completed, is lost", async () => {
        const lost = { code: "STORE_STAGED_LOST", message: expect.stringContaining("a/b") };
        const writer = store.stage("a/b", signal);
        await writer.write(bytesOf("content"));
        const aborted = await writer.finish();
        await writer.abort();
        await expect(store.complete(aborted, signal)).rejects.toMatchObject(lost);
        const discarded = await staged(store, "a/b", bytesOf("content"));
        for await (const leftover of store.leftovers("", signal)) await store.discard(leftover, signal);
        await expect(store.complete(discarded, signal)).rejects.toMatchObject(lost);
        const completed = await staged(store, "a/b", bytesOf("content"));
        await store.complete(completed, signal);
        await store.put("a/b", bytesOf("of another size"), null, signal);
        await expect(store.complete(completed, signal)).rejects.toMatchObject(lost);
        await store.delete(["a/b"], signal);
        await expect(store.complete(completed, signal)).rejects.toMatchObject(lost);
      });

      test("what was finished is staged until it is completed, aborted or discarded", async () => {
        const completed = await staged(store, "t/completed", patternBytes(place.partBytes + 1));
        const empty = await staged(store, "t/empty", bytesOf(""));
        const writer = store.stage("t/aborted", signal);
        await writer.write(bytesOf("content"));
        const aborted = await writer.finish();
        await using other = place.store();
        for (const it of [completed, empty, aborted]) expect(await other.isStaged(throughJson(it), signal)).toBe(true);
        await store.complete(completed, signal);
        await writer.abort();
        for await (const leftover of store.leftovers("", signal)) await store.discard(leftover, signal);
        for (const it of [completed, empty, aborted]) expect(await other.isStaged(throughJson(it), signal)).toBe(false);
      });

      test("leftovers are what is staged and neither completed nor aborted, by any prefix", async () => {
        const completed = await staged(store, "t/completed", bytesOf("1"));
        await store.complete(completed, signal);
        const aborted = store.stage("t/aborted", signal);
        await aborted.write(patternBytes(place.partBytes));
        await aborted.abort();
        await staged(store, "t/finished", bytesOf("2"));
        const open = store.stage("t/open", signal);
        await open.write(patternBytes(place.partBytes + 1));
        await staged(store, "u/é x=1", bytesOf("3"));
        // The first part of an object may still be on its way.
        const broken = await open.finish();
        await using other = place.store();
        expect(await leftoverKeys(other)).toEqual(["t/finished", "t/open", "u/é x=1"]);
        expect(await leftoverKeys(other, "t/")).toEqual(["t/finished", "t/open"]);
        expect(await leftoverKeys(other, "t/o")).toEqual(["t/open"]);
        expect(await leftoverKeys(other, "v")).toEqual([]);
        const leftovers = throughJson<StagedLeftover[]>(await all(other.leftovers("t/", signal)));
        for (const leftover of [...leftovers, ...leftovers]) await other.discard(leftover, signal);
        expect(await leftoverKeys(other)).toEqual(["u/é x=1"]);
        await expect(store.complete(broken, signal)).rejects.toMatchObject({ code: "STORE_STAGED_LOST" });
        expect(await keysOf(store)).toEqual(["t/completed"]);
      });

      test("aborting leaves nothing, at whatever point and however often", async () => {
        const { partBytes } = place;
        for (const [at, size] of [0, 1, partBytes, 2 * partBytes + 1].entries()) {
          const writer = store.stage(`a/${at}`, signal);
          if (size > 0) await writer.write(patternBytes(size));
          await writer.abort();
          await writer.abort();
          expect(writer.heldBytes).toBe(0);
          await expect(writer.write(bytesOf("x"))).rejects.toMatchObject({ code: "INTERNAL" });
          await expect(writer.finish()).rejects.toMatchObject({ code: "INTERNAL" });
        }
        const finished = store.stage("a/finished", signal);
        await finished.write(bytesOf("x"));
        await finished.finish();
        await finished.abort();
        expect(await leftoverKeys(store)).toEqual([]);
        expect(await keysOf(store)).toEqual([]);
      });

      test("a writer that is finished takes no more", async () => {
        const writer = store.stage("a", signal);
        await writer.finish();
        await expect(writer.write(bytesOf("x"))).rejects.toMatchObject({ code: "INTERNAL" });
        await expect(writer.finish()).rejects.toMatchObject({ code: "INTERNAL" });
      });

      test("hundreds of writers are open at once", async () => {
        const writers = Array.from({ length: 200 }, (_, i) => store.stage(`many/${i}/part.parquet`, signal));
        for (const half of ["one half, ", "the other"])
          await Promise.all(writers.map((writer) => writer.write(bytesOf(half))));
        const committables = await Promise.all(writers.map((writer) => writer.finish()));
        expect(await keysOf(store)).toEqual([]);
        await Promise.all(committables.map((committable) => store.complete(committable, signal)));
        expect(await keysOf(store, "many/")).toHaveLength(200);
        expectBytes(await store.get("many/199/part.parquet", null, signal), bytesOf("one half, the other"));
        expect(await leftoverKeys(store)).toEqual([]);
      });
    });

    test.each([1, 2, 3])("a random life of it is that of a model (%i)", async (seed) => {
      await store.open(signal);
      await expectLifeOfModel(store, new Random(seed), 60);
    });

    test("a call whose signal is aborted rejects with its reason", async () => {
      await store.open(signal);
      const committable = await staged(store, "staged", bytesOf("x"));
      const [leftover] = await all(store.leftovers("", signal));
      const ended = AbortSignal.abort(new Error("told to stop"));
      const calls: (() => Promise<unknown>)[] = [
        () => store.open(ended),
        () => store.put("a", bytesOf("a"), null, ended),
        () => store.get("a", null, ended),
        () => store.head("a", ended),
        () => all(store.list("", ended)),
        () => store.delete(["a"], ended),
        () => store.stage("b", ended).write(bytesOf("a")),
        () => store.stage("b", ended).finish(),
        () => store.complete(committable, ended),
        () => all(store.leftovers("", ended)),
        () => store.discard(leftover!, ended),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow("told to stop");
      expect(await keysOf(store)).toEqual([]);
      expect(await leftoverKeys(store)).toEqual(["staged"]);
    });

    test("a key that is none is a defect, whoever is asked", async () => {
      await store.open(signal);
      const defect = { code: "INTERNAL" };
      for (const key of ["", "/a", "a//b", "../a", "a/.", ".staged/a", "a\u0000"]) {
        await expect(store.put(key, bytesOf("a"), null, signal)).rejects.toMatchObject(defect);
        await expect(store.get(key, null, signal)).rejects.toMatchObject(defect);
        await expect(store.head(key, signal)).rejects.toMatchObject(defect);
        await expect(store.delete(["a", key], signal)).rejects.toMatchObject(defect);
        expect(() => store.stage(key, signal)).toThrow(expect.objectContaining(defect));
        await expect(store.complete({ key, bytes: 1, staged: null }, signal)).rejects.toMatchObject(defect);
      }
    });
  });
}
