import { randomUUID } from "node:crypto";
import type { Ambient } from "../../core/ambient.ts";
import type { CheckpointStore, StoredEpochs, StoreOpening } from "../../core/checkpoint-store.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { applyEpoch, type CommittedRecord, type EpochRecord, sameParts } from "../../core/record.ts";
import { checkNext, fenced, takenOver } from "../fence.ts";
import { type Commands, RedisConnection } from "./connection.ts";
import { Holder } from "./holder.ts";
import { damaged, decodeEpochs, decodeHead, FORMAT, KeyNames } from "./keys.ts";
import type { RedisOptions } from "./options.ts";
import { CLAIM, FENCE, PUT, REPLACE, runScript } from "./scripts.ts";

/** Parts of more bytes go ahead of their write, in pieces of about this size: so no command is larger, but by one part. */
const PIECE_BYTES_MAX = 256 << 10;
/** What a crash leaves staged goes by itself. */
const STAGED_MS = 3_600_000;
/** A server may lose staged pieces at any moment, but not each time. */
const STAGINGS_MAX = 5;
/** Bounds how often a reader begins anew because a run that it looks at has just begun a generation. */
const READS_MAX = 20;

/**
 * Keeps a pipeline's checkpoint in Redis or Valkey, in the keys that `scripts.ts` describes. Redis may lose what it has
 * confirmed (its last second, by a fail-over) and may come back older or empty: what was put is looked for with every
 * write, and the sink is the truth.
 */
export function createRedisStore(options: RedisOptions, pipeline: string, ambient: Ambient): CheckpointStore {
  return new RedisStore(options, pipeline, ambient);
}

/** What is in memory of a store that was opened. */
interface OpenState {
  readonly signal: AbortSignal;
  readonly waiting: (on: string | null) => void;
  /** Of the record in Redis; null: there is none. */
  readonly generation: string | null;
  readonly newest: CommittedRecord | null;
  /** What was there is damaged, and counts as nothing. */
  readonly passedOver: boolean;
}

/** A part as scripts take it: `=` and its JSON, or `-` where it goes. */
type Pair = readonly [key: string, value: string];

class RedisStore implements CheckpointStore {
  readonly #pipeline: string;
  readonly #ambient: Ambient;
  readonly #names: KeyNames;
  readonly #connection: RedisConnection;
  readonly #holder: Holder;
  readonly #closed = new AbortController();
  #state: OpenState | null = null;

  constructor(options: RedisOptions, pipeline: string, ambient: Ambient) {
    this.#pipeline = pipeline;
    this.#ambient = ambient;
    this.#names = new KeyNames(pipeline);
    this.#connection = new RedisConnection(options, ambient);
    this.#holder = new Holder(this.#names.holder, this.#connection, ambient);
  }

  get place(): string {
    return this.#connection.place;
  }

  async open(opening: StoreOpening): Promise<StoredEpochs | null> {
    if (this.#state !== null) throw new MillraceError("INTERNAL", "the checkpoint store is already open");
    const signal = AbortSignal.any([opening.signal, this.#closed.signal]);
    const waiting = opening.waiting ?? ((): void => undefined);
    await this.#holder.take(opening.takeOver ?? false, signal, waiting);
    this.#holder.keep(() => opening.takenOver?.(takenOver(this.place)));
    try {
      if (opening.takeOver === true)
        await this.#connection.first(signal, (client) => runScript(client, FENCE, [this.#names.head], []));
      opening.taken?.();
      const loaded = await this.#load(signal, opening.passOverDamage ?? false);
      this.#state = { signal, waiting, ...loaded, newest: loaded.stored?.newest ?? null };
      return loaded.stored;
    } catch (error) {
      await this.#holder.release();
      throw error;
    }
  }

  async #load(
    signal: AbortSignal,
    passOverDamage: boolean,
  ): Promise<{ stored: StoredEpochs | null; generation: string | null; passedOver: boolean }> {
    try {
      const found = await this.#connection.first(signal, (client) => this.#readAll(client));
      return { stored: found?.stored ?? null, generation: found?.generation ?? null, passedOver: false };
    } catch (error) {
      if (!passOverDamage || !(error instanceof MillraceError) || error.code !== "CHECKPOINT_DAMAGED") throw error;
      this.#ambient.logger.warn("checkpoint is damaged, and passed over", { damage: error.message });
      return { stored: null, generation: null, passedOver: true };
    }
  }

  async #readAll(client: Commands): Promise<{ stored: StoredEpochs; generation: string } | null> {
    const { head: key } = this.#names;
    for (let read = 1; read <= READS_MAX; read++) {
      const before = decodeHead(await client.hgetall(key), key);
      if (before === null) return null;
      const { generation } = before;
      const [fields = {}, parts = {}, undo = {}] = await together(client, [
        key,
        this.#names.parts(generation),
        this.#names.undo(generation),
      ]);
      const head = decodeHead(fields, key);
      if (head?.generation === generation) return { stored: decodeEpochs(head, parts, undo, key), generation };
    }
    throw damaged(key, "it changes whenever it is read");
  }

  async put(record: EpochRecord): Promise<void> {
    const state = this.#opened();
    const { newest } = state;
    checkNext(this.#pipeline, newest, record);
    const write = randomUUID();
    const generation = state.generation ?? write;
    const pairs = [...record.parts].map(([key, value]): Pair => [key, value === null ? "-" : encoded(value)]);
    const isLarge = byteLength(pairs) > PIECE_BYTES_MAX;
    const [staged, inline] = isLarge ? [pairs, []] : [[], pairs];
    const keys = [
      this.#names.head,
      this.#names.parts(generation),
      this.#names.undo(generation),
      this.#names.staged(write),
    ];
    const empty = newest === null ? 1 : 0;
    const args = [record.token, record.epoch, generation, write, FORMAT, empty, staged.length, ...inline.flat()];
    await this.#write(PUT, keys, args, staged, write, record);
    this.#state = { ...state, generation, newest: applyEpoch(newest, record) };
    this.#ambient.failpoint("checkpoint.redis-written");
  }

  async confirm(epoch: number): Promise<void> {
    const { newest } = this.#opened();
    // The next epoch's write says it to the store.
    if (newest?.epoch !== epoch)
      throw new MillraceError("INTERNAL", `epoch ${epoch} is confirmed while the store is at ${newest?.epoch ?? 0}`);
  }

  async reset(record: CommittedRecord): Promise<void> {
    const state = this.#opened();
    const { generation: old, newest } = state;
    if (newest !== null && newest.token >= record.token) throw fenced(`its token is ${newest.token}`, record);
    const write = randomUUID();
    if (old !== null && newest?.epoch === record.epoch && sameParts(newest.parts, record.parts)) {
      const keys = [this.#names.head, this.#names.undo(old)];
      await this.#write(CLAIM, keys, [record.token, record.epoch, old, write], [], write, record);
      this.#state = { ...state, newest: record };
    } else {
      const pairs = [...record.parts].map(([key, value]): Pair => [key, JSON.stringify(value)]);
      const { head, staged } = { head: this.#names.head, staged: this.#names.staged(write) };
      // A generation that there never was has no keys.
      const before = old ?? "none";
      const keys = [head, staged, this.#names.parts(write), this.#names.parts(before), this.#names.undo(before)];
      const args = [record.token, record.epoch, write, old ?? "", FORMAT, pairs.length, state.passedOver ? 1 : 0];
      await this.#write(REPLACE, keys, args, pairs, write, record);
      this.#state = { ...state, generation: write, newest: record, passedOver: false };
    }
    this.#ambient.failpoint("checkpoint.redis-written");
  }

  /** Runs a script that changes the store, with what has to be staged for it. */
  async #write(
    script: string,
    keys: readonly string[],
    args: readonly (string | number)[],
    staged: readonly Pair[],
    write: string,
    record: CommittedRecord,
  ): Promise<void> {
    const state = this.#opened();
    for (let staging = 1; staging <= STAGINGS_MAX; staging++) {
      await this.#stage(state, staged, write);
      const [answer, detail = ""] = await this.#connection.always(state, (client) =>
        runScript(client, script, keys, args),
      );
      if (answer === "done") return;
      if (answer === "fenced") throw fenced(`its token is ${detail}`, record);
      if (answer === "lost") throw behind(this.place, detail, record);
      if (answer !== "unstaged") throw damaged(this.#names.head, "it is not what Millrace writes");
    }
    throw new MillraceError("CHECKPOINT_FAILED", `${this.place} loses what is written before it can be used`);
  }

  async #stage(state: OpenState, pairs: readonly Pair[], write: string): Promise<void> {
    if (pairs.length === 0) return;
    const key = this.#names.staged(write);
    for (const piece of pieces(pairs))
      await this.#connection.always(state, async (client) => {
        await client.hset(key, ...piece.flat());
        await client.pexpire(key, STAGED_MS);
      });
    this.#ambient.failpoint("checkpoint.redis-staged");
  }

  async read(signal: AbortSignal): Promise<StoredEpochs | null> {
    return (await this.#connection.first(signal, (client) => this.#readAll(client)))?.stored ?? null;
  }

  async remove(signal: AbortSignal): Promise<void> {
    await this.#holder.take(false, signal, () => undefined);
    try {
      const head = await this.#connection.first(signal, (client) => client.hgetall(this.#names.head));
      const generation = head["generation"] ?? "none";
      const keys = [this.#names.head, this.#names.parts(generation), this.#names.undo(generation)];
      await this.#connection.first(signal, (client) => client.unlink(...keys));
    } finally {
      await this.#holder.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = null;
    this.#closed.abort(new MillraceError("INTERNAL", "the checkpoint store is closed"));
    await this.#holder.release();
    this.#connection.close();
  }

  #opened(): OpenState {
    if (this.#state === null) throw new MillraceError("INTERNAL", "the checkpoint store is not open");
    return this.#state;
  }
}

/** Hashes as they are at one moment. */
async function together(client: Commands, keys: readonly string[]): Promise<Record<string, string>[]> {
  const transaction = client.multi();
  for (const key of keys) transaction.hgetall(key);
  const results = (await transaction.exec()) ?? [];
  return results.map(([error, fields]) => {
    if (error !== null) throw error;
    return fields as Record<string, string>;
  });
}

function encoded(value: Json): string {
  return `=${JSON.stringify(value)}`;
}

function byteLength(pairs: readonly Pair[]): number {
  return pairs.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
}

function* pieces(pairs: readonly Pair[]): Generator<readonly Pair[]> {
  let piece: Pair[] = [];
  let bytes = 0;
  for (const pair of pairs) {
    piece.push(pair);
    bytes += byteLength([pair]);
    if (bytes < PIECE_BYTES_MAX) continue;
    yield piece;
    [piece, bytes] = [[], 0];
  }
  if (piece.length > 0) yield piece;
}

function behind(place: string, epoch: string, record: CommittedRecord): MillraceError {
  const found = epoch === "" ? "it is empty" : `it is at epoch ${epoch}`;
  return new MillraceError(
    "CHECKPOINT_BEHIND",
    `${place} has lost what this run had put into it: ${found} where epoch ${record.epoch} was to follow`,
  );
}
