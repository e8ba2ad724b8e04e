import { MillraceError } from "../../core/errors.ts";
import { applyEpoch, type CommittedRecord, type EpochRecord } from "../../core/record.ts";
import type { TableId } from "../../core/table-schema.ts";
import type { ObjectStore, StoreAbilities } from "../../stores/object-store.ts";
import { decodeEntry, encodeEntry, type LogEntry, type StagedEpoch } from "./epoch-entry.ts";
import { ownFolder } from "./layout.ts";
import type { TableEntry } from "./schema.ts";

/** An epoch is written with all parts when so many entries stand behind the last one that has them. */
const ENTRIES_MAX = 64;
/** Bounds how often a reader begins anew because entries went while it read. */
const READS_MAX = 20;

/** What the entries up to one of them say together. */
interface LogState {
  /** The last entry's number; 0: there is none. */
  readonly slot: number;
  readonly baseSlot: number;
  /** The store's own, of the last entry. */
  readonly tag: string;
  readonly sequence: number;
  readonly record: CommittedRecord;
  readonly tables: ReadonlyMap<TableId, TableEntry>;
  /** Of the last entry: it may not all be visible yet. */
  readonly staged: StagedEpoch;
}

/** An entry, by its number, as the store has it. */
interface Found {
  readonly slot: number;
  readonly tag: string;
}

const EMPTY: LogState = {
  slot: 0,
  baseSlot: 0,
  tag: "",
  sequence: 0,
  record: { epoch: 0, token: 0, parts: new Map() },
  tables: new Map(),
  staged: { files: [], tables: [] },
};

/**
 * A pipeline's own log: numbered entries in `_millrace/<pipeline>/`, each written only where its number is free. That one
 * write decides an epoch, and it fences: a run that another has taken over from finds its next number taken. The
 * folder alone restores the pipeline.
 */
export class EpochLog {
  readonly #store: ObjectStore;
  readonly #pipeline: string;
  readonly #run: string;
  readonly #abilities: StoreAbilities;
  #state: LogState = EMPTY;

  constructor(store: ObjectStore, pipeline: string, run: string, abilities: StoreAbilities) {
    this.#store = store;
    this.#pipeline = pipeline;
    this.#run = run;
    this.#abilities = abilities;
  }

  get state(): LogState {
    return this.#state;
  }

  /** The last committed record; null: the pipeline never wrote here, or was forgotten. */
  get committed(): CommittedRecord | null {
    const { record } = this.#state;
    return record.epoch === 0 ? null : record;
  }

  async read(signal: AbortSignal): Promise<void> {
    for (let read = 1; ; read++) {
      const found = await this.#found(signal);
      const state = await this.#load(found, signal);
      if (state !== null) {
        this.#state = state;
        return;
      }
      if (read === READS_MAX) throw damaged(this.#key(found.at(-1)?.slot ?? 0), "entries went while it was read");
    }
  }

  /** The entries that are there, oldest first. */
  async #found(signal: AbortSignal): Promise<readonly Found[]> {
    const found: Found[] = [];
    for await (const { key, tag } of this.#store.list(`${ownFolder(this.#pipeline)}/`, signal)) {
      const match = /\/(\d{10})\.json$/.exec(key);
      if (match !== null) found.push({ slot: Number(match[1]), tag });
    }
    return found.sort((a, b) => a.slot - b.slot);
  }

  /** Null: an entry that was listed is not there any more. */
  async #load(found: readonly Found[], signal: AbortSignal): Promise<LogState | null> {
    const entries: { readonly entry: LogEntry; readonly at: Found }[] = [];
    for (const [i, at] of [...found.entries()].toReversed()) {
      const next = found[i + 1];
      if (next !== undefined && next.slot !== at.slot + 1) throw damaged(this.#key(at.slot + 1), "it is missing");
      const bytes = await this.#store.get(this.#key(at.slot), null, signal);
      if (bytes === null) return null;
      const entry = this.#decode(at.slot, bytes);
      entries.unshift({ entry, at });
      if (entry.base) return entries.reduce((state, { entry: it, at: where }) => advance(state, it, where), EMPTY);
    }
    if (found[0] !== undefined) throw damaged(this.#key(found[0].slot), "what came before it is missing");
    return EMPTY;
  }

  #decode(slot: number, bytes: Uint8Array): LogEntry {
    const decoded = decodeEntry(this.#pipeline, bytes);
    if (decoded.kind === "entry") return decoded.entry;
    const key = this.#key(slot);
    if (decoded.kind === "damaged") throw damaged(key, decoded.why);
    throw new MillraceError("SINK_NEWER_FORMAT", `${key} was written by a newer Millrace (format ${decoded.format}).`, {
      place: { file: key },
    });
  }

  /** Fails with `FENCED` where the record is not the one that comes next. */
  checkNext({ epoch, token }: EpochRecord): void {
    const { record: last } = this.#state;
    if (epoch !== last.epoch + 1 || token < last.token)
      throw new MillraceError(
        "FENCED",
        `Epoch ${epoch} of token ${token} cannot follow epoch ${last.epoch} of token ${last.token}.`,
      );
  }

  /** Decides an epoch. Rejects with `FENCED` where another run has written since, or the record is not the next one. */
  async decide(record: EpochRecord, { files, tables }: StagedEpoch, signal: AbortSignal): Promise<void> {
    this.checkNext(record);
    const before = this.#state;
    const { epoch, token } = record;
    const head = { kind: "epoch", run: this.#run, epoch, token, sequence: before.sequence + 1, files } as const;
    const entry: LogEntry = { ...head, base: false, parts: record.parts, tables };
    const full = before.slot === 0 || before.slot + 1 - before.baseSlot >= ENTRIES_MAX;
    const after = advance(before, entry, { slot: before.slot + 1, tag: "" });
    const all = { base: true, parts: after.record.parts, tables: [...after.tables.values()] };
    await this.#append(full ? { ...head, ...all } : entry, signal);
    if (full) await this.#removeOlder(signal);
  }

  /**
   * The next run begins anew, on tables that are known as the pipeline's own. It takes a sequence number for itself, so that
   * nothing can be decided any more that was staged before.
   */
  async forget(signal: AbortSignal): Promise<void> {
    const { slot, record, sequence, tables } = this.#state;
    if (slot === 0 || record.epoch === 0) return;
    const all = { parts: new Map(), tables: [...tables.values()], files: [] };
    const head = { kind: "forgotten", base: true, run: this.#run, epoch: 0, token: 0, sequence: sequence + 1 } as const;
    await this.#append({ ...head, ...all }, signal);
    await this.#removeOlder(signal);
  }

  async #append(entry: LogEntry, signal: AbortSignal): Promise<void> {
    const { slot } = this.#state;
    if (slot > 0) await this.#checkLast(signal);
    const tag = await this.#put(slot + 1, entry, signal);
    this.#state = advance(this.#state, entry, { slot: slot + 1, tag });
  }

  /** Another run has written to the log. */
  async isOvertaken(signal: AbortSignal): Promise<boolean> {
    return (await this.#found(signal)).some(({ slot }) => slot > this.#state.slot);
  }

  /** A folder that was emptied or put back under a running pipeline must not be written to as if nothing were. */
  async #checkLast(signal: AbortSignal): Promise<void> {
    const { slot, tag } = this.#state;
    const last = await this.#store.head(this.#key(slot), signal);
    if (last?.tag === tag) return;
    if (await this.isOvertaken(signal)) throw fenced();
    throw damaged(this.#key(slot), `it is ${last === null ? "gone" : "another one"}, while the pipeline was running`);
  }

  /** Returns the entry's tag. */
  async #put(slot: number, entry: LogEntry, signal: AbortSignal): Promise<string> {
    const key = this.#key(slot);
    const bytes = encodeEntry(this.#pipeline, entry);
    const conditional = this.#abilities.conditionalPut;
    if (!conditional && (await this.#store.head(key, signal)) !== null) throw fenced();
    try {
      const { tag } = await this.#store.put(key, bytes, conditional ? { kind: "absent" } : null, signal);
      if (conditional || (await this.#isThere(key, bytes, signal))) return tag;
    } catch (error) {
      // The answer may have been lost, or be that to a repetition of ours.
      const tag = (await this.#isThere(key, bytes, signal)) ? (await this.#store.head(key, signal))?.tag : undefined;
      if (tag !== undefined) return tag;
      if (!(error instanceof MillraceError) || error.code !== "STORE_CONDITION") throw error;
    }
    throw fenced();
  }

  async #isThere(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const found = await this.#store.get(key, null, signal);
    return found !== null && Buffer.compare(found, bytes) === 0;
  }

  async #removeOlder(signal: AbortSignal): Promise<void> {
    const older = (await this.#found(signal)).filter(({ slot }) => slot < this.#state.baseSlot);
    const keys = older.map(({ slot }) => this.#key(slot));
    await this.#store.delete(keys, signal);
  }

  #key(slot: number): string {
    return `${ownFolder(this.#pipeline)}/${String(slot).padStart(10, "0")}.json`;
  }
}

function advance(state: LogState, entry: LogEntry, { slot, tag }: Found): LogState {
  const { base, epoch, token, sequence, files, parts } = entry;
  const tables = new Map(base ? [] : state.tables);
  for (const table of entry.tables) tables.set(table.schema.id, table);
  const record = applyEpoch(base ? null : state.record, { pipeline: "", epoch, token, parts });
  const staged = { files, tables: entry.tables };
  return { slot, baseSlot: base ? slot : state.baseSlot, tag, sequence, record, tables, staged };
}

export function fenced(): MillraceError {
  return new MillraceError(
    "FENCED",
    "Another run of this pipeline has written to its log in the sink since: this one has been taken over from.",
  );
}

function damaged(key: string, why: string): MillraceError {
  return new MillraceError("SINK_DAMAGED", `The pipeline's own log in the sink is damaged: ${key}: ${why}.`, {
    place: { file: key },
  });
}
