import type { ChangeBatch } from "../../core/change-batch.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Transaction } from "../../core/position.ts";
import type { ColumnSet, FileSchema } from "../../formats/file-schema.ts";
import type { ParquetEncoders } from "../../formats/parquet/encoders.ts";
import type { ObjectStore } from "../../stores/object-store.ts";
import type { ParquetOptions, ParquetTuning } from "./config.ts";
import { changeCells, emptiedCells, type RowOrder } from "./encode.ts";
import type { EpochFile } from "./epoch-entry.ts";
import { fileName } from "./layout.ts";
import { OpenFile } from "./open-file.ts";
import { emptyRowFolder, partRows, type Partition } from "./partition.ts";
import { fileSchema, type TableEntry } from "./schema.ts";
import { partitionsOf } from "./table-problem.ts";

/** The lower half of `_seq` numbers an epoch's rows. */
const ROWS_MAX = 2 ** 32;

export interface EpochFilesOptions {
  readonly pipeline: string;
  readonly run: string;
  readonly sequence: number;
  readonly epoch: number;
  readonly store: ObjectStore;
  readonly encoders: ParquetEncoders;
  readonly options: ParquetOptions;
  readonly tuning: ParquetTuning;
  readonly signal: AbortSignal;
}

/** Where a table's rows of one schema version go. */
interface Shape {
  readonly schema: FileSchema;
  readonly partitions: readonly Partition[];
}

/**
 * The files of one epoch: one at a time for each table, schema version and partition. Memory is bounded for all of them
 * together, so that hundreds of tables can be written at once: where too much waits, the largest become row groups early,
 * or end early.
 */
export class EpochFiles {
  readonly #options: EpochFilesOptions;
  readonly #open = new Map<string, OpenFile>();
  /** Files that take no more rows: what is left of them is on its way. */
  readonly #ending = new Map<OpenFile, Promise<void>>();
  readonly #finished: EpochFile[] = [];
  readonly #shapes = new Map<string, Shape>();
  /** Row groups on their way to the store's writers. */
  readonly #underWay = new Set<Promise<void>>();
  #files = 0;
  #rows = 0;

  constructor(options: EpochFilesOptions) {
    this.#options = options;
  }

  /** Rows of the epoch so far. */
  get rows(): number {
    return this.#rows;
  }

  async write(table: TableEntry, batch: ChangeBatch): Promise<void> {
    const { options, tuning } = this.#options;
    const firstRow = this.#number(batch.length);
    const shape = this.#shape(table, batch.schema.version, batch);
    const parts = partRows(batch, shape.partitions);
    // The memory of a batch that was parted is not in the parts.
    const copied = parts.length > 1;
    for (const { folder, batch: part, rows } of parts) {
      const cells = changeCells(part, this.#order(firstRow, rows), options.beforeImages);
      await this.#add(table, shape.schema, part.schema.version, folder, cells, part.bytes, () => {
        if (!copied) batch.recycle?.();
      });
    }
    if (copied) batch.recycle?.();
    await this.#makeRoom(tuning);
  }

  /** The table was emptied, or begun anew. */
  async emptied(table: TableEntry, transaction: Transaction | null): Promise<void> {
    const { version, columns } = table.schema;
    const order = this.#order(this.#number(1), null);
    const { schema, partitions } = this.#shape(table, version, table);
    const { beforeImages } = this.#options.options;
    const cells = emptiedCells(columns.length, version, transaction, order, beforeImages);
    const folder = emptyRowFolder(partitions, transaction?.commitTimeMs ?? null);
    await this.#add(table, schema, version, folder, cells, 0, () => undefined);
  }

  /** Ends all files: they are durable, and nobody sees them. */
  async finish(): Promise<readonly EpochFile[]> {
    for (const key of [...this.#open.keys()]) await this.#endFile(key);
    await Promise.all(this.#ending.values());
    return this.#finished;
  }

  /** What was written is of no use any more. Never rejects: what is left is found by the next run. */
  async abort(): Promise<void> {
    const files = [...this.#open.values(), ...this.#ending.keys()];
    await Promise.allSettled(files.map((file) => file.abort()));
    this.#open.clear();
  }

  /** Numbers so many rows, and returns the first one's. */
  #number(rows: number): number {
    const first = this.#rows;
    this.#rows += rows;
    if (this.#rows > ROWS_MAX)
      throw new MillraceError("SINK_FAILED", `One epoch has more than ${ROWS_MAX} rows.`, {
        hint: "Give `checkpoint.interval` a shorter time.",
      });
    return first;
  }

  #order(firstRow: number, rows: Uint32Array | null): RowOrder {
    return { sequence: this.#options.sequence, firstRow, rows };
  }

  #shape(table: TableEntry, version: number, { schema }: { readonly schema: ChangeBatch["schema"] }): Shape {
    const { id } = schema;
    const key = `${id} ${table.incarnation} ${version}`;
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const { options } = this.#options;
    const ids = new Map(table.schema.columns.map(({ name }, i) => [name, table.columns[i]!.fieldId]));
    const fieldIds = schema.columns.map(({ name }) => {
      const fieldId = ids.get(name);
      if (fieldId !== undefined) return fieldId;
      throw new MillraceError("INTERNAL", `column ${name} of ${id} was not given to the sink by applySchema`);
    });
    const partitions = partitionsOf(options, schema);
    const shape = { schema: fileSchema(schema, fieldIds, options.beforeImages), partitions };
    this.#shapes.set(key, shape);
    return shape;
  }

  async #add(
    table: TableEntry,
    schema: FileSchema,
    version: number,
    partition: string,
    cells: ColumnSet,
    bytes: number,
    free: () => void,
  ): Promise<void> {
    const { options } = this.#options;
    const folder = partition === "" ? table.folder : `${table.folder}/${partition}`;
    const key = `${version} ${folder}`;
    let file = this.#open.get(key);
    if (file === undefined) {
      file = this.#begin(table, schema, version, folder);
      this.#open.set(key, file);
    }
    file.add(cells, bytes, free);
    if (file.waitingBytes >= options.rowGroupBytesMax) await this.#flush(file);
    if (file.bytes >= options.fileBytesMax) await this.#endFile(key);
  }

  #begin(table: TableEntry, schema: FileSchema, version: number, folder: string): OpenFile {
    const { pipeline, run, sequence, epoch, store, encoders, options, signal } = this.#options;
    const { incarnation } = table;
    const name = fileName({ pipeline, incarnation, version, sequence, run, number: this.#files++ });
    const metadata = new Map<string, string>([
      ["millrace.pipeline", pipeline],
      ["millrace.table", table.schema.id],
      ["millrace.incarnation", String(incarnation)],
      ["millrace.schema-version", String(version)],
      ["millrace.epoch", String(epoch)],
    ]);
    const { compression, pageBytes } = options;
    const staged = store.stage(`${folder}/${name}`, signal);
    return new OpenFile({
      schema,
      metadata,
      encoders,
      encoding: { compression, pageBytes, dictionaryPageBytes: pageBytes },
      staged,
      signal,
    });
  }

  async #flush(file: OpenFile): Promise<void> {
    while (this.#underWay.size >= this.#options.tuning.encoders * 2) await Promise.race(this.#underWay);
    await file.flush();
    const written = file.written.finally(() => this.#underWay.delete(written));
    written.catch(() => undefined);
    this.#underWay.add(written);
  }

  /** Resolves when the file takes no more rows, so that the next one can be begun while it is ended. */
  async #endFile(key: string): Promise<void> {
    const file = this.#open.get(key);
    if (file === undefined) return;
    while (this.#ending.size >= this.#options.tuning.filesAtATime) await Promise.race(this.#ending.values());
    this.#open.delete(key);
    const ended = (async () => {
      this.#finished.push(await file.finish());
      this.#ending.delete(file);
    })();
    // Whoever awaits it next reports the failure.
    ended.catch(() => undefined);
    this.#ending.set(file, ended);
  }

  async #makeRoom({ waitingBytesMax, heldBytesMax }: ParquetTuning): Promise<void> {
    while (this.#sum((file) => file.waitingBytes) > waitingBytesMax) {
      const [, largest] = this.#largest((file) => file.waitingBytes);
      await this.#flush(largest);
    }
    while (this.#sum((file) => file.heldBytes) > heldBytesMax) {
      const [key] = this.#largest((file) => file.heldBytes);
      const file = this.#open.get(key)!;
      await this.#endFile(key);
      await this.#ending.get(file);
    }
  }

  #sum(of: (file: OpenFile) => number): number {
    let sum = 0;
    for (const file of this.#open.values()) sum += of(file);
    return sum;
  }

  #largest(of: (file: OpenFile) => number): readonly [string, OpenFile] {
    let largest: readonly [string, OpenFile] | null = null;
    for (const entry of this.#open) if (largest === null || of(entry[1]) > of(largest[1])) largest = entry;
    if (largest === null) throw new MillraceError("INTERNAL", "no file is open, and files have too much memory");
    return largest;
  }
}
