import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import type { Ambient } from "../../core/ambient.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { Transaction } from "../../core/position.ts";
import { STAGED_KEY, type CommittedRecord, type EpochRecord } from "../../core/record.ts";
import type { BeginMode, Sink } from "../../core/sink.ts";
import { sameJson } from "../../core/json.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";
import { ParquetEncoders } from "../../formats/parquet/encoders.ts";
import type { ObjectStore } from "../../stores/object-store.ts";
import { createStore } from "../../stores/open-store.ts";
import { PARQUET_TUNING, type ParquetOptions, type ParquetTuning } from "./config.ts";
import { decodeStaged, encodeStaged, type EpochFile, type StagedEpoch } from "./epoch-entry.ts";
import { EpochFiles } from "./epoch-files.ts";
import { EpochLog, fenced } from "./epoch-log.ts";
import { noFolderTwice, parseFileName, pathPart, tableFolder } from "./layout.ts";
import { alteredTable, newTable, type TableEntry } from "./schema.ts";
import { TableDocuments } from "./table-documents.ts";
import { tableProblem } from "./table-problem.ts";

export interface ParquetSinkParts {
  readonly ambient: Ambient;
  /** The program of the encoding threads. */
  readonly workerUrl: URL;
  readonly tuning?: ParquetTuning;
}

export function createParquetSink(options: ParquetOptions, parts: ParquetSinkParts): Sink {
  return new ParquetSink(options, parts);
}

/** What there is while the place is open. */
interface Opened {
  readonly pipeline: string;
  readonly store: ObjectStore;
  readonly encoders: ParquetEncoders;
  readonly log: EpochLog;
  readonly documents: TableDocuments;
}

/**
 * Keeps every change of a pipeline as rows of Parquet files, in a folder or a bucket. An epoch's files are staged, where
 * nobody sees them; one entry of the pipeline's own log decides the epoch, and then they are made visible.
 */
class ParquetSink implements Sink {
  readonly kind = "log";
  readonly #options: ParquetOptions;
  readonly #parts: ParquetSinkParts;
  readonly #tuning: ParquetTuning;
  /** In the names of this run's files. */
  readonly #run = randomBytes(4).toString("hex");
  readonly #closing = new AbortController();
  /** As the epoch under way will leave them. */
  readonly #tables = new Map<TableId, TableEntry>();
  /** Of them, those that the epoch under way has changed. */
  readonly #changed = new Set<TableId>();
  #opened: Opened | null = null;
  #files: EpochFiles | null = null;
  /** What dead runs had staged is gone. */
  #cleaned = false;
  /** What broke the epoch: a half-written one must never be committed, so every later call fails by it too. */
  #broken: { readonly error: unknown } | null = null;

  constructor(options: ParquetOptions, parts: ParquetSinkParts) {
    this.#options = options;
    this.#parts = parts;
    this.#tuning = parts.tuning ?? PARQUET_TUNING;
  }

  async open(pipeline: string, signal: AbortSignal): Promise<CommittedRecord | null> {
    return await this.#closable(async () => {
      const opened = await this.#openPlace(pipeline, signal);
      await this.#makeVisible(opened.log.state.staged, AbortSignal.any([signal, this.#closing.signal]));
      for (const [id, table] of opened.log.state.tables) this.#tables.set(id, table);
      return opened.log.committed;
    });
  }

  /** Reads the pipeline's log. The last epoch that it decided may have to be finished. */
  async #openPlace(pipeline: string, signal: AbortSignal): Promise<Opened> {
    signal.throwIfAborted();
    const { ambient, workerUrl } = this.#parts;
    const store = createStore(this.#options.location, ambient.clock);
    const { encoders: threads, encodingBytesMax } = this.#tuning;
    const encoders = new ParquetEncoders({ workerUrl, threads, bytesMax: encodingBytesMax });
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const abilities = await store.open(ended);
    if (!abilities.conditionalPut)
      ambient.logger.warn("the store cannot write only where nothing is: two runs at once are not kept apart", {
        place: store.place,
      });
    const log = new EpochLog(store, pipeline, this.#run, abilities);
    await log.read(ended);
    this.#opened = { pipeline, store, encoders, log, documents: new TableDocuments(store, pipeline) };
    return this.#opened;
  }

  async forget(pipeline: string, signal: AbortSignal): Promise<void> {
    await this.#closable(async () => {
      if (!(await this.#openExisting(pipeline, signal))) return;
      const { log } = this.#open();
      await this.#makeWhatIsThereVisible(log.state.staged);
      await log.forget(this.#closing.signal);
      await this.#removeLeftovers();
    });
    await this.close();
  }

  /** False: the place is not there, so that nothing can be in it. It is not made. */
  async #openExisting(pipeline: string, signal: AbortSignal): Promise<boolean> {
    const { location } = this.#options;
    if (location.kind === "folder" && !existsSync(location.path)) return false;
    try {
      await this.#openPlace(pipeline, signal);
      return true;
    } catch (error) {
      if (error instanceof MillraceError && error.code === "STORE_MISSING") return false;
      throw error;
    }
  }

  async beginTable(schema: TableSchema, incarnation: number, mode: BeginMode): Promise<void> {
    await this.#inEpoch(async () => {
      const files = this.#epochFiles();
      this.#checkTable(schema);
      const folder = tableFolder(this.#options.layout, schema);
      const known = this.#tables.get(schema.id);
      const found = await this.#found(folder, schema);
      const table = newTable(schema, incarnation, folder);
      this.#change(table);
      // Whoever reads the log must not take for the table's rows what came before.
      if (known !== undefined || found || mode === "truncate") await files.emptied(table, null);
      this.#parts.ambient.failpoint("sink.table-begun");
    });
  }

  #checkTable(schema: TableSchema): void {
    const problem = tableProblem(this.#options, schema);
    if (problem !== null) throw problem;
    const folders = new Map([...this.#tables].map(([id, { folder }]) => [id, folder]));
    noFolderTwice(folders, tableFolder(this.#options.layout, schema), schema.id);
  }

  /**
   * Whether files of this pipeline's are in the folder. Another's, or nobody's, are left alone; and so are those that its log
   * does not know, since their rows would stand behind those that are to be written.
   */
  async #found(folder: string, schema: TableSchema): Promise<boolean> {
    const { store, pipeline, log } = this.#open();
    let ours = false;
    for await (const { key } of store.list(`${folder}/`, this.#closing.signal)) {
      const name = parseFileName(key);
      if (name?.pipeline === pathPart(pipeline) && name.sequence > log.state.sequence)
        throw new MillraceError(
          "SINK_DAMAGED",
          `${store.place}/${folder} has files of this pipeline that its log in the sink does not know: ${key}.`,
          { place: { table: schema.id }, hint: "Move them away, or restore the log that they belong to." },
        );
      if (name?.pipeline === pathPart(pipeline)) ours = true;
      else if (name !== null || key.endsWith(".parquet"))
        throw new MillraceError(
          "SINK_TABLE_EXISTS",
          `${store.place}/${folder} has files already that this pipeline did not write: ${key}.`,
          { place: { table: schema.id }, hint: "Move them away, or give this pipeline another `path` or `layout`." },
        );
    }
    return ours;
  }

  begun(): ReadonlyMap<TableId, number> {
    return new Map([...this.#tables].map(([id, { incarnation }]) => [id, incarnation]));
  }

  async applySchema(schema: TableSchema): Promise<void> {
    await this.#inEpoch(async () => {
      this.#epochFiles();
      this.#checkTable(schema);
      const table = this.#table(schema.id);
      if (schema.version > table.schema.version) this.#change(alteredTable(table, schema));
      this.#parts.ambient.failpoint("sink.schema-applied");
    });
  }

  async write(batch: ChangeBatch): Promise<void> {
    await this.#inEpoch(async () => {
      if (batch.length === 0) return;
      const files = this.#epochFiles();
      await files.write(this.#table(batch.schema.id), batch);
    });
  }

  async truncate(table: TableId, transaction: Transaction | null): Promise<void> {
    await this.#inEpoch(async () => {
      const files = this.#epochFiles();
      await files.emptied(this.#table(table), transaction);
    });
  }

  async endSnapshot(table: TableId): Promise<void> {
    await this.#inEpoch(async () => {
      this.#epochFiles();
      this.#change({ ...this.#table(table), complete: true });
    });
  }

  async prepare(): Promise<Json> {
    return await this.#inEpoch(async () => {
      const files = await this.#epochFiles().finish();
      this.#parts.ambient.failpoint("sink.files-staged");
      const tables = [...this.#changed].map((id) => this.#table(id));
      return encodeStaged({ files, tables });
    });
  }

  async commit(record: EpochRecord): Promise<void> {
    await this.#inEpoch(async () => {
      const { log } = this.#open();
      const signal = this.#closing.signal;
      const staged = decodeStaged(record.parts.get(STAGED_KEY));
      if (staged === undefined) throw new MillraceError("INTERNAL", `epoch ${record.epoch} was not prepared`);
      this.#parts.ambient.failpoint("sink.changes-applied");
      if (!this.#isDecided(record)) {
        await this.#checkStaged(record, staged.files);
        await log.decide(record, staged, signal);
        this.#parts.ambient.failpoint("sink.record-written");
      }
      await this.#makeVisible(staged, signal);
      for (const table of staged.tables) this.#tables.set(table.schema.id, table);
      this.#changed.clear();
      this.#files = null;
      if (!this.#cleaned) await this.#removeLeftovers();
    });
  }

  /** The record is that of the last epoch, which this run or one before it has decided already. */
  #isDecided({ epoch, parts }: EpochRecord): boolean {
    const { record } = this.#open().log.state;
    return epoch === record.epoch && sameJson(parts.get(STAGED_KEY) ?? null, record.parts.get(STAGED_KEY) ?? null);
  }

  /**
   * That what was staged is there still, just before its epoch is decided: a run before may have staged it, or this one may
   * have been frozen since.
   */
  async #checkStaged({ epoch }: EpochRecord, files: readonly EpochFile[]): Promise<void> {
    if (files.length === 0) return;
    const { store } = this.#open();
    const there = new Set<string>();
    // All in one request, mostly; those that it does not name are asked for. Names of files are those of one attempt.
    for await (const { key } of store.leftovers("", this.#closing.signal)) there.add(key);
    for (const file of files)
      if (!there.has(file.key) && !(await store.isStaged(file, this.#closing.signal)))
        throw new MillraceError("STORE_STAGED_LOST", `${file.key}, staged for epoch ${epoch}, is gone`);
  }

  async #makeVisible({ files, tables }: StagedEpoch, signal: AbortSignal): Promise<void> {
    const { store, documents, log } = this.#open();
    // First: whoever sees a file finds its schema.
    await documents.write(tables, log.state.sequence, signal);
    const left = [...files];
    const lost: MillraceError[] = [];
    const worker = async (): Promise<void> => {
      for (let file = left.pop(); file !== undefined; file = left.pop()) {
        const error = await complete(store, file, signal);
        if (error !== null) lost.push(error);
        this.#parts.ambient.failpoint("sink.file-completed");
      }
    };
    await Promise.all(Array.from({ length: this.#tuning.filesAtATime }, worker));
    // Behind the others: what is there can be read.
    if (lost[0] !== undefined) throw lost[0];
  }

  /** The way out where files of the last epoch are lost must not be barred by that. */
  async #makeWhatIsThereVisible(staged: StagedEpoch): Promise<void> {
    try {
      await this.#makeVisible(staged, this.#closing.signal);
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== "SINK_FILES_LOST") throw error;
      this.#parts.ambient.logger.warn("the last epoch is forgotten without all of its files", {
        reason: error.message,
      });
    }
  }

  pendingBytes(): number {
    return this.#files === null || this.#files.rows === 0 ? 0 : 1;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const { encoders, store } = this.#opened ?? {};
    this.#opened = null;
    await this.#files?.abort();
    await encoders?.[Symbol.asyncDispose]();
    await store?.[Symbol.asyncDispose]();
  }

  /** The files of the epoch under way. */
  #epochFiles(): EpochFiles {
    const { pipeline, store, encoders, log } = this.#open();
    const signal = this.#closing.signal;
    const { sequence, record } = log.state;
    this.#files ??= new EpochFiles({
      pipeline,
      run: this.#run,
      sequence: sequence + 1,
      epoch: record.epoch + 1,
      store,
      encoders,
      options: this.#options,
      tuning: this.#tuning,
      signal,
    });
    return this.#files;
  }

  /**
   * What this pipeline had staged for epochs that are over: whoever wrote it, nothing can decide for it any more. What was
   * staged for the next one stays, since the record in the store may name it. Nobody else's is touched.
   */
  async #removeLeftovers(): Promise<void> {
    const { store, pipeline, log } = this.#open();
    const signal = this.#closing.signal;
    let removed = 0;
    for await (const leftover of store.leftovers("", signal)) {
      const name = parseFileName(leftover.key);
      if (name?.pipeline !== pathPart(pipeline) || name.sequence > log.state.sequence) continue;
      await store.discard(leftover, signal);
      removed++;
    }
    this.#cleaned = true;
    if (removed > 0) this.#parts.ambient.logger.info("staged files of earlier runs removed", { files: removed });
  }

  #change(table: TableEntry): void {
    this.#tables.set(table.schema.id, table);
    this.#changed.add(table.schema.id);
  }

  #table(id: TableId): TableEntry {
    const table = this.#tables.get(id);
    if (table === undefined) throw new MillraceError("INTERNAL", `table ${id} was not begun in the sink`);
    return table;
  }

  async #inEpoch<T>(work: () => Promise<T>): Promise<T> {
    if (this.#broken !== null) throw this.#broken.error;
    this.#open();
    try {
      return await this.#closable(work);
    } catch (error) {
      this.#broken = { error: await this.#explained(error) };
      throw this.#broken.error;
    }
  }

  /** What was staged is gone where another run has decided the epoch: it clears away what can never be decided. */
  async #explained(error: unknown): Promise<unknown> {
    if (!(error instanceof MillraceError) || error.code !== "STORE_STAGED_LOST") return error;
    if (await this.#open().log.isOvertaken(this.#closing.signal)) return fenced();
    return new MillraceError("SINK_STAGED_LOST", error.message, { cause: error });
  }

  /** What fails because the sink was closed says so. */
  async #closable<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing;
    try {
      if (signal.aborted) throw closed();
      const result = await work();
      if (signal.aborted) throw closed();
      return result;
    } catch (error) {
      if (!signal.aborted) {
        if (this.#opened === null) await this.close();
        throw error;
      }
      await this.close();
      throw closed();
    }
  }

  #open(): Opened {
    if (this.#opened === null) throw closed();
    return this.#opened;
  }
}

/** Returns the error where what was staged is gone. */
async function complete(store: ObjectStore, file: EpochFile, signal: AbortSignal): Promise<MillraceError | null> {
  const { key, bytes, staged } = file;
  try {
    await store.complete({ key, bytes, staged }, signal);
    return null;
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "STORE_STAGED_LOST") throw error;
    return new MillraceError("SINK_FILES_LOST", `${key}, of an epoch that is decided, was staged and is gone.`, {
      cause: error,
    });
  }
}

function closed(): MillraceError {
  return new MillraceError("SINK_CLOSED", "The Parquet sink is not open.");
}
