import { assertNever, MillraceError } from "../core/errors.ts";
import type { LineItem, ProgressItem, TruncateItem } from "../core/line.ts";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { DurablePosition, Position } from "../core/position.ts";
import type { TablePart } from "../core/record.ts";
import type { Sink } from "../core/sink.ts";
import type { LogReader } from "../core/source.ts";
import type { TableId, TableSchema } from "../core/table-schema.ts";
import type { ChangeBatch } from "../core/change-batch.ts";
import type { Ambient } from "../core/ambient.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { CloseReason } from "./epoch-state.ts";
import type { Epochs } from "./epochs.ts";

export interface DeliveryOptions {
  readonly sink: Sink;
  readonly log: LogReader;
  readonly epochs: Epochs;
  readonly snapshot: Snapshot;
  readonly ambient: Ambient;
  readonly events: (event: PipelineEvent) => void;
}

/** The end of the line: hands each item to the sink, keeps the tables' states, and ends epochs. */
export class Delivery {
  readonly #options: DeliveryOptions;
  /** Where the log was at the last `progress`. */
  position: Position | null = null;
  /** The sink has been given something since the last commit, were it no row but a truncate. */
  #given = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Resolves when the sink has accepted the item; `progress` changes nothing but the book. */
  async take(item: LineItem): Promise<void> {
    switch (item.kind) {
      case "rows":
        return await this.#rows(item.batch);
      case "truncate":
        return await this.#truncate(item);
      case "schema":
        return await this.#schema(item.schema);
      case "stop":
        return this.stopTable(item.table, item.error);
      case "chunk-entered":
        return await this.#chunkEntered(item.table, item.chunk);
      case "progress":
        return this.#progress(item);
      default:
        return assertNever(item);
    }
  }

  /** Ends the epoch and lets the source forget what is now durable. */
  async commit(reason: CloseReason): Promise<DurablePosition> {
    const durable = await this.#options.epochs.commit(reason);
    this.#given = false;
    this.#options.log.acknowledge(durable);
    this.#options.ambient.failpoint("engine.acknowledged");
    return durable;
  }

  /** The table goes no further; the log goes on past it. */
  stopTable(table: TableId, error: MillraceError): void {
    const part = this.#live(table);
    if (part === null) return;
    const { ambient, epochs, log, snapshot } = this.#options;
    const at = this.position?.toString() ?? "start";
    epochs.setTable({ ...part, state: { kind: "stopped", code: error.code, message: error.message, at } });
    snapshot.forget(table);
    log.dropTable(table);
    ambient.logger.error("table stopped", { table, code: error.code, reason: error.message, hint: error.hint, at });
  }

  async #rows(batch: ChangeBatch): Promise<void> {
    const table = batch.schema.id;
    if (this.#live(table) === null) return;
    this.#given = true;
    await this.#options.sink.write(batch);
    this.#options.epochs.written(batch.length, batch.origin);
    this.#options.events({ kind: "delivered", table, origin: batch.origin, rows: batch.length });
  }

  async #truncate({ table, transaction }: TruncateItem): Promise<void> {
    if (this.#live(table) === null) return;
    this.#given = true;
    await this.#options.sink.truncate(table, transaction);
    this.#options.epochs.written(0, transaction === null ? "snapshot" : "log");
  }

  async #schema(schema: TableSchema): Promise<void> {
    const part = this.#live(schema.id);
    if (part === null) return;
    const { epochs, sink } = this.#options;
    if (!epochs.atBoundary)
      throw new MillraceError("INTERNAL", "a schema change inside a transaction", { place: { table: schema.id } });
    if (this.#given) await this.commit("schema");
    await sink.applySchema(schema);
    epochs.setTable({ ...part, schema });
  }

  async #chunkEntered(table: TableId, chunk: number): Promise<void> {
    const part = this.#live(table);
    if (part === null) return;
    const { ambient, epochs, sink, snapshot } = this.#options;
    const { progress, rows, complete } = snapshot.entered(table, chunk);
    if (complete) {
      this.#given = true;
      await sink.endSnapshot(table);
    }
    epochs.setTable({ ...part, state: complete ? { kind: "streaming", rows } : { kind: "snapshotting", progress } });
    ambient.failpoint("snapshot.chunk-entered");
  }

  #progress(item: ProgressItem): void {
    this.position = item.position;
    this.#options.epochs.progress(item.position, this.#options.snapshot.unsettledIds(), item.commitTimeMs);
    this.#options.events({ kind: "log", position: item.position.toString() });
  }

  #live(table: TableId): TablePart | null {
    const part = this.#options.epochs.tables.get(table);
    return part === undefined || part.state.kind === "stopped" ? null : part;
  }
}
