import { expect } from "vitest";
import type { Committable, ObjectInfo, ObjectStore, StagedWriter } from "../../src/stores/object-store.ts";
import { patternBytes } from "../support/pattern-bytes.ts";
import type { Random } from "../support/random.ts";

const { signal } = new AbortController();
const KEYS = ["a", "b/c", "b/d", "b-c", "é", "f/g/h"];

/** What should be there. */
interface Model {
  readonly visible: Map<string, { readonly content: Uint8Array; readonly info: ObjectInfo | null }>;
  readonly finished: {
    readonly committable: Committable;
    readonly content: Uint8Array;
    readonly writer: StagedWriter;
  }[];
  serial: number;
}

/** A random life of a store beside a model of it; after each step both must agree on everything. */
export async function expectLifeOfModel(store: ObjectStore, random: Random, steps: number): Promise<void> {
  const model: Model = { visible: new Map(), finished: [], serial: 0 };
  for (let step = 0; step < steps; step++) {
    await random.pick([put, putWhereAbsent, putWhereSame, remove, stageOne, completeOne, abortOne])(
      store,
      random,
      model,
    );
    await compare(store, random, model);
  }
}

type Step = (store: ObjectStore, random: Random, model: Model) => Promise<void>;

function contentOf(random: Random, model: Model): Uint8Array {
  return patternBytes(random.pick([0, 1, 100, 5000]), ++model.serial);
}

const put: Step = async (store, random, model) => {
  const [key, content] = [random.pick(KEYS), contentOf(random, model)];
  model.visible.set(key, { content, info: await store.put(key, content, null, signal) });
};

const putWhereAbsent: Step = async (store, random, model) => {
  const [key, content] = [random.pick(KEYS), contentOf(random, model)];
  const written = store.put(key, content, { kind: "absent" }, signal);
  if (model.visible.has(key)) await expect(written).rejects.toMatchObject({ code: "STORE_CONDITION" });
  else model.visible.set(key, { content, info: await written });
};

const putWhereSame: Step = async (store, random, model) => {
  const [key, other, content] = [random.pick(KEYS), random.pick(KEYS), contentOf(random, model)];
  const tag = (await store.head(other, signal))?.tag ?? '"0"';
  const holds = (await store.head(key, signal))?.tag === tag;
  const written = store.put(key, content, { kind: "same", tag }, signal);
  if (holds) model.visible.set(key, { content, info: await written });
  else await expect(written).rejects.toMatchObject({ code: "STORE_CONDITION" });
};

const remove: Step = async (store, random, model) => {
  const keys = KEYS.filter(() => random.chance(0.3));
  await store.delete(keys, signal);
  for (const key of keys) model.visible.delete(key);
};

const stageOne: Step = async (store, random, model) => {
  const content = contentOf(random, model);
  const writer = store.stage(`staged/${model.serial}`, signal);
  const cut = random.below(content.byteLength + 1);
  await writer.write(content.slice(0, cut));
  await writer.write(content.slice(cut));
  model.finished.push({ committable: await writer.finish(), content, writer });
};

const completeOne: Step = async (store, random, model) => {
  const [one] = model.finished.splice(random.below(model.finished.length), 1);
  if (one === undefined) return;
  await store.complete(one.committable, signal);
  if (random.chance(0.3)) await store.complete(one.committable, signal);
  model.visible.set(one.committable.key, { content: one.content, info: null });
};

const abortOne: Step = async (store, random, model) => {
  const [one] = model.finished.splice(random.below(model.finished.length), 1);
  if (one === undefined) return;
  await one.writer.abort();
  await expect(store.complete(one.committable, signal)).rejects.toMatchObject({ code: "STORE_STAGED_LOST" });
};

async function compare(store: ObjectStore, random: Random, { visible, finished }: Model): Promise<void> {
  const listed: ObjectInfo[] = [];
  for await (const info of store.list("", signal)) listed.push(info);
  const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  expect(listed.map(({ key }) => key)).toEqual([...visible.keys()].sort(order));
  for (const info of listed) {
    const expected = visible.get(info.key)!;
    expect(info).toMatchObject({ bytes: expected.content.byteLength, ...expected.info });
  }
  const staged: string[] = [];
  for await (const { key } of store.leftovers("", signal)) staged.push(key);
  expect(staged.sort()).toEqual(finished.map(({ committable }) => committable.key).sort());
  const key = random.pick([...visible.keys(), ...KEYS]);
  const expected = visible.get(key)?.content ?? null;
  const found = await store.get(key, null, signal);
  expect(found === null ? null : Buffer.from(found)).toEqual(expected === null ? null : Buffer.from(expected));
}
