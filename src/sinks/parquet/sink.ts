import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import type { Ambient } from "../../core/ambient.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import { MillraceError } from "../../core/errors.ts";
import { sameJson, type Json } from "../../core/json.ts";
import type { Transaction } from "../../core/position.ts";
import { STAGED_KEY, type CommittedRecord, type EpochRecord } from "../../core/record.ts";
import type { BeginMode, Sink } from "../../core/sink.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";
import { ParquetEncoders } from "../../formats/parquet/encoders.ts";
import type { ObjectStore } from "../../stores/object-store.ts";
import { createStore } from "../../stores/open-store.ts";
import { PARQUET_TUNING, type ParquetOptions, type ParquetTuning } from "./config.ts";
import { decodeStaged, encodeStaged } from "./epoch-entry.ts";
import { EpochFiles } from "./epoch-files.ts";
import { EpochLog, fenced } from "./epoch-log.ts";
import { noFolderTwice, parseFileName, pathPart, tableFolder } from "./layout.ts";
import { alteredTable, newTable, type TableEntry } from "./schema.ts";
import { StagedEpochs } from "./staged-epochs.ts";
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
  readonly staged: StagedEpochs;
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
      await opened.staged.makeVisible(opened.log.state.staged, AbortSignal.any([signal, this.#closing.signal]));
      for (const [id, table] of opened.log.state.tables) this.#tables.set(id, table);
      return opened.log.committed;
    });
  }

  /** Reads the pipeline's log. The last epoch that it decided may have to be finished. */
  async #openPlace(pipeline: string, signal: AbortSignal): Promise<Opened> {
    signal.throwIfAborted();
    const { ambient, workerUrl } = this.#parts;
    const store = createStore(this.#options.location, ambient.clock);
    const { encoders: threads, encodingBytesMax, filesAtATime } = this.#tuning;
    try {
      const ended = AbortSignal.any([signal, this.#closing.signal]);
      const abilities = await store.open(ended);
      if (!abilities.conditionalPut)
        ambient.logger.warn("the store cannot write only where nothing is: two runs at once are not kept apart", {
          place: store.place,
        });
      const log = new EpochLog(store, pipeline, this.#run, abilities);
      await log.read(ended);
      const documents = new TableDocuments(store, pipeline);
      const staged = new StagedEpochs({ pipeline, store, log, documents, ambient, filesAtATime });
      const encoders = new ParquetEncoders({ workerUrl, threads, bytesMax: encodingBytesMax });
      this.#opened = { pipeline, store, encoders, log, staged };
      return this.#opened;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  }

  async forget(pipeline: string, signal: AbortSignal): Promise<void> {
    await this.#closable(async () => {
      if (!(await this.#openExisting(pipeline, signal))) return;
      const { log, staged } = this.#open();
      const { signal: closing } = this.#closing;
      await staged.makeWhatIsThereVisible(log.state.staged, closing);
      await log.forget(closing);
      await staged.removeLeftovers(closing);
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
      const { log, staged } = this.#open();
      const { signal } = this.#closing;
      const epoch = decodeStaged(record.parts.get(STAGED_KEY));
      if (epoch === undefined) throw new MillraceError("INTERNAL", `epoch ${record.epoch} was not prepared`);
      this.#parts.ambient.failpoint("sink.changes-applied");
      if (!this.#isDecided(record)) {
        log.checkNext(record);
        await staged.check(record.epoch, epoch.files, signal);
        await log.decide(record, epoch, signal);
        this.#parts.ambient.failpoint("sink.record-written");
      }
      await staged.makeVisible(epoch, signal);
      for (const table of epoch.tables) this.#tables.set(table.schema.id, table);
      this.#changed.clear();
      this.#files = null;
      if (!this.#cleaned) await staged.removeLeftovers(signal);
      this.#cleaned = true;
    });
  }

  /** The record is that of the last epoch, which this run or one before it has decided already. */
  #isDecided({ epoch, parts }: EpochRecord): boolean {
    const { record } = this.#open().log.state;
    return epoch === record.epoch && sameJson(parts.get(STAGED_KEY) ?? null, record.parts.get(STAGED_KEY) ?? null);
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
      const explained = await this.#explained(error);
      // An epoch that was found in the store, and is gone, is none of this run's.
      if (this.#files !== null) this.#broken = { error: explained };
      throw explained;
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

function closed(): MillraceError {
  return new MillraceError("SINK_CLOSED", "The Parquet sink is not open.");
}
