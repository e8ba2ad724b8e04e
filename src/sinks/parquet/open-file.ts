import type { ColumnSet, FileSchema } from "../../formats/file-schema.ts";
import type { EncodeOptions } from "../../formats/parquet/encoding.ts";
import type { ParquetEncoders } from "../../formats/parquet/encoders.ts";
import { ParquetFile } from "../../formats/parquet/file.ts";
import type { StagedWriter } from "../../stores/object-store.ts";
import type { EpochFile } from "./epoch-entry.ts";

/** Rows that wait to become a row group, and what to do when their memory is free. */
interface Waiting {
  readonly cells: ColumnSet;
  readonly free: () => void;
}

export interface OpenFileOptions {
  readonly schema: FileSchema;
  readonly metadata: ReadonlyMap<string, string>;
  readonly encoders: ParquetEncoders;
  readonly encoding: EncodeOptions;
  readonly staged: StagedWriter;
  readonly signal: AbortSignal;
}

/** One file of an epoch while it is written. Its row groups are encoded elsewhere, and go to the store in their order. */
export class OpenFile {
  readonly #options: OpenFileOptions;
  readonly #parquet: ParquetFile;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #rows = 0;
  /** Everything so far is with the store's writer. */
  #written: Promise<void>;

  constructor(options: OpenFileOptions) {
    this.#options = options;
    this.#parquet = new ParquetFile(options.schema);
    this.#written = this.#then(async () => options.staged.write(this.#parquet.begin()));
  }

  /** Of rows that wait to become a row group, as their batches weigh. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** In memory of the store's writer. */
  get heldBytes(): number {
    return this.#options.staged.heldBytes;
  }

  /** With the store's writer. */
  get bytes(): number {
    return this.#options.staged.bytes;
  }

  add(cells: ColumnSet, bytes: number, free: () => void): void {
    this.#waiting.push({ cells, free });
    this.#waitingBytes += bytes;
    this.#rows += cells.length;
  }

  /** What waits becomes a row group. Resolves when the rows' memory is free; `written` tells when it is in the file. */
  async flush(): Promise<void> {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const { encoders, schema, encoding, staged, signal } = this.#options;
    const sets = waiting.map(({ cells }) => cells);
    const { borrows, encoded } = await encoders.encode({ schema, sets, options: encoding }, signal);
    const before = this.#written;
    this.#written = this.#then(async () => {
      const rowGroup = await encoded;
      await before;
      for (const bytes of this.#parquet.add(rowGroup)) await staged.write(bytes);
    });
    if (borrows) await this.#written;
    for (const { free } of waiting) free();
  }

  /** Everything flushed is with the store's writer. */
  get written(): Promise<void> {
    return this.#written;
  }

  /** The file is whole and durable, and nobody sees it. */
  async finish(): Promise<EpochFile> {
    await this.flush();
    await this.#written;
    const { staged, metadata } = this.#options;
    await staged.write(this.#parquet.end(metadata));
    return { ...(await staged.finish()), rows: this.#rows };
  }

  async abort(): Promise<void> {
    await this.#options.staged.abort();
  }

  /** Whoever awaits it next reports the failure. */
  #then(work: () => Promise<void>): Promise<void> {
    const done = work();
    done.catch(() => undefined);
    return done;
  }
}
