import type { Ambient } from "../../core/ambient.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { Transaction } from "../../core/position.ts";
import type { CommittedRecord, EpochRecord } from "../../core/record.ts";
import type { BeginMode, Sink } from "../../core/sink.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";
import { counted, noCounts, type DiscardCounts } from "./counts.ts";

export function createDiscardSink(ambient: Ambient): DiscardSink {
  return new DiscardSink(ambient);
}

/**
 * Counts rows and throws them away: for measuring a source, and for trying a pipeline file without writing anything.
 *
 * It has no memory: while it is open it checks epochs and tokens as every sink does; opened again it reports that nothing
 * was ever committed, and the engine goes on from the checkpoint store alone. So it cannot know which tables were begun
 * before, and takes rows of every table.
 */
export class DiscardSink implements Sink {
  readonly kind = "table";
  readonly #ambient: Ambient;
  #counts: DiscardCounts = noCounts;
  #last: { readonly epoch: number; readonly token: number } | null = null;
  #pendingBytes = 0;
  #open = false;

  constructor(ambient: Ambient) {
    this.#ambient = ambient;
  }

  /** What was thrown away since it was made. */
  get counts(): DiscardCounts {
    return this.#counts;
  }

  async open(_pipeline: string, signal: AbortSignal): Promise<CommittedRecord | null> {
    signal.throwIfAborted();
    this.#open = true;
    return null;
  }

  async forget(_pipeline: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async beginTable(_schema: TableSchema, _incarnation: number, _mode: BeginMode): Promise<void> {
    this.#checkOpen();
    this.#ambient.failpoint("sink.table-begun");
  }

  /** Nothing is ever emptied. */
  begun(): ReadonlyMap<TableId, number> {
    return new Map();
  }

  async applySchema(_schema: TableSchema): Promise<void> {
    this.#checkOpen();
    this.#ambient.failpoint("sink.schema-applied");
  }

  async write(batch: ChangeBatch): Promise<void> {
    this.#checkOpen();
    this.#counts = counted(this.#counts, batch);
    this.#pendingBytes += batch.bytes;
    batch.recycle?.();
  }

  async truncate(_table: TableId, _transaction: Transaction | null): Promise<void> {
    this.#checkOpen();
    this.#counts = { ...this.#counts, truncates: this.#counts.truncates + 1 };
  }

  async endSnapshot(_table: TableId): Promise<void> {
    this.#checkOpen();
  }

  async prepare(): Promise<Json> {
    this.#checkOpen();
    return null;
  }

  async commit(record: EpochRecord): Promise<void> {
    this.#checkOpen();
    this.#ambient.failpoint("sink.changes-applied");
    const last = this.#last;
    if (last !== null && (last.epoch !== record.epoch - 1 || last.token > record.token))
      throw new MillraceError(
        "FENCED",
        `Epoch ${record.epoch} of token ${record.token} cannot follow epoch ${last.epoch} of token ${last.token}.`,
      );
    this.#last = { epoch: record.epoch, token: record.token };
    this.#counts = { ...this.#counts, epochs: this.#counts.epochs + 1 };
    this.#pendingBytes = 0;
    this.#ambient.failpoint("sink.record-written");
  }

  pendingBytes(): number {
    return this.#pendingBytes;
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#last = null;
    this.#pendingBytes = 0;
  }

  #checkOpen(): void {
    if (!this.#open) throw new MillraceError("SINK_CLOSED", "The discard sink is not open.");
  }
}
