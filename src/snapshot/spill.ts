import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { ChangeBatch, Run } from "../core/change-batch.ts";
import { MillraceError } from "../core/errors.ts";
import type { Transaction } from "../core/position.ts";
import type { TableId } from "../core/table-schema.ts";
import type { Spill } from "./keyless-snapshot.ts";

export interface FileSpillOptions {
  readonly folder: string;
  readonly table: TableId;
  readonly bytesMax: number;
}

/**
 * Keeps the first `bytesMax` in memory and what comes after in a file, which is there only while it is needed. Writes and
 * reads are synchronous, one batch at a time: the merge is, and a table without a key is a rare guest. Nothing in the file
 * outlives the process, so it is never synced, and one that a killed process left is simply written over.
 */
export class FileSpill implements Spill {
  readonly #options: FileSpillOptions;
  readonly #path: string;
  #memory: ChangeBatch[] = [];
  #memoryBytes = 0;
  #file: number | null = null;
  /** Bytes of each batch in the file, in order. */
  #frames: number[] = [];
  #fileEnd = 0;
  /** The class of the source's transactions: their fields are written, and their methods given back to them. */
  #transactionClass: object | null = null;

  constructor(options: FileSpillOptions) {
    this.#options = options;
    this.#path = join(options.folder, `${encodeURIComponent(options.table)}.spill`);
  }

  append(batch: ChangeBatch): void {
    if (this.#frames.length === 0 && this.#memoryBytes + batch.bytes <= this.#options.bytesMax) {
      this.#memory.push(batch);
      this.#memoryBytes += batch.bytes;
      return;
    }
    const frame = serialize({ ...batch, runs: batch.runs.map((run) => this.#plainRun(run)) });
    try {
      this.#write(frame);
    } catch (cause) {
      throw this.#unwritable(cause);
    }
    this.#frames.push(frame.length);
    this.#fileEnd += frame.length;
  }

  *drain(): Iterable<ChangeBatch> {
    yield* this.#memory.splice(0);
    let at = 0;
    for (const length of this.#frames) {
      yield this.#read(at, length);
      at += length;
    }
    this.clear();
  }

  clear(): void {
    this.#memory = [];
    this.#memoryBytes = 0;
    this.#frames = [];
    this.#fileEnd = 0;
    if (this.#file === null) return;
    closeSync(this.#file);
    unlinkSync(this.#path);
    this.#file = null;
  }

  #write(frame: Uint8Array): void {
    this.#file ??= this.#create();
    for (let at = 0; at < frame.length;) at += writeSync(this.#file, frame, at, frame.length - at, this.#fileEnd + at);
  }

  /** Stops this table alone, by naming it. */
  #unwritable(cause: unknown): MillraceError {
    const { table } = this.#options;
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : "an unknown error";
    const message = `changes of ${table}, which has no key, cannot wait in ${this.#options.folder} until it has been read (${why})`;
    return new MillraceError("SPILL_UNWRITABLE", message, { place: { table }, cause });
  }

  #create(): number {
    mkdirSync(this.#options.folder, { recursive: true });
    const file = openSync(this.#path, "w+");
    ftruncateSync(file, 0);
    return file;
  }

  #read(at: number, length: number): ChangeBatch {
    const frame = new Uint8Array(length);
    for (let got = 0; got < length;) {
      const bytes = readSync(this.#file!, frame, got, length - got, at + got);
      if (bytes === 0)
        throw new MillraceError("INTERNAL", `the spill file ${this.#path} is shorter than it was written`);
      got += bytes;
    }
    const batch = deserialize(frame) as ChangeBatch;
    return {
      ...batch,
      runs: batch.runs.map((run) => this.#wholeRun(run)),
      columns: batch.columns.map(aligned),
      before: batch.before?.map(aligned) ?? null,
    };
  }

  #plainRun(run: Run): Run {
    const prototype = Object.getPrototypeOf(run.transaction) as object;
    this.#transactionClass ??= prototype;
    if (prototype !== this.#transactionClass)
      throw new MillraceError("INTERNAL", "transactions of two sources in one spill");
    return { firstRow: run.firstRow, transaction: { ...run.transaction } };
  }

  #wholeRun(run: Run): Run {
    const transaction = Object.create(this.#transactionClass) as Transaction;
    Object.assign(transaction, run.transaction);
    return { firstRow: run.firstRow, transaction };
  }
}

type Aligned = ChangeBatch["columns"][number];

/** What was read is a view into one large buffer: each column's values get a start at a multiple of 8 bytes again. */
function aligned(column: Aligned): Aligned {
  const own = <View extends Uint8Array | Int32Array>(view: View | null): View | null =>
    view === null || view.byteOffset % 8 === 0 ? view : (view.slice() as View);
  return {
    ...column,
    values: own(column.values)!,
    offsets: own(column.offsets),
    validity: own(column.validity),
    absent: own(column.absent),
  };
}
