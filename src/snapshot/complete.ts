import type { Clock } from "../core/ambient.ts";
import type { ChangeBatch } from "../core/change-batch.ts";
import { asMillraceError, MillraceError } from "../core/errors.ts";
import type { LineItem } from "../core/line.ts";
import type { Cut, Transaction } from "../core/position.ts";
import type { Source } from "../core/source.ts";
import type { TableId } from "../core/table-schema.ts";
import { completed, completionOf, type GoneRows, movedAsInserts } from "./complete-rows.ts";
import { selectRows } from "../core/select-rows.ts";

export interface CompleteOptions {
  readonly source: Pick<Source, "selectByKey" | "visible">;
  /** How long a change may take to become visible: then its table stops. */
  readonly timeoutMs: number;
  readonly gone: GoneRows;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const PAUSE_MIN_MS = 2;
const PAUSE_MAX_MS = 250;

/**
 * Fetches from the source the cells that a change does not carry and somebody downstream needs (design §6): those of
 * rows that were moved to another key, or got values that the log does not have. Everything else passes untouched. A row
 * is asked for only once its change's transaction is visible, and the line waits for that: order is kept.
 */
export async function* complete(line: AsyncIterable<LineItem>, options: CompleteOptions): AsyncIterable<LineItem> {
  const fetcher = new Fetcher(options);
  const stopped = new Set<TableId>();
  for await (const item of line) {
    if (item.kind !== "rows") {
      yield item;
      continue;
    }
    const table = item.batch.schema.id;
    if (stopped.has(table)) continue;
    const completion = completionOf(item.batch);
    if (completion.kind === "none") yield item;
    else if (completion.kind === "whole") yield { kind: "rows", batch: movedAsInserts(item.batch) };
    else {
      const outcome = await fetcher.fetch(item.batch, completion);
      if (outcome.kind === "failed") {
        stopped.add(table);
        yield { kind: "stop", table, error: outcome.error };
      } else if (outcome.batch.length > 0) yield { kind: "rows", batch: outcome.batch };
    }
  }
}

type Fetched =
  | { readonly kind: "completed"; readonly batch: ChangeBatch }
  | { readonly kind: "failed"; readonly error: MillraceError };

class Fetcher {
  readonly #options: CompleteOptions;
  #lastCut: Cut | null = null;

  constructor(options: CompleteOptions) {
    this.#options = options;
  }

  async fetch(
    batch: ChangeBatch,
    { rows, transactions }: { readonly rows: Uint32Array; readonly transactions: readonly Transaction[] },
  ): Promise<Fetched> {
    const { source, signal, gone } = this.#options;
    const invisible = await this.#untilVisible(transactions);
    if (invisible !== null) return { kind: "failed", error: this.#timeout(batch.schema.id, invisible) };
    try {
      const fetched = await source.selectByKey(selectRows(batch, rows), signal);
      return { kind: "completed", batch: completed(batch, rows, fetched.length === 0 ? null : fetched, gone) };
    } catch (error) {
      const known = asMillraceError(error);
      // A column or the table is gone: the log says so too, later. What passes by itself ends this attempt of the run.
      if (signal.aborted || known.retry === "timed" || known.code === "INTERNAL") throw error;
      return { kind: "failed", error: known };
    }
  }

  /** A transaction that did not become visible in time; null: all are. */
  async #untilVisible(transactions: readonly Transaction[]): Promise<Transaction | null> {
    const { source, clock, signal, timeoutMs } = this.#options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2)) {
      const missing = transactions.find((transaction) => this.#lastCut?.surelyIncludes(transaction) !== true);
      if (missing === undefined) return null;
      this.#lastCut = await source.visible(signal);
      const still = transactions.find((transaction) => this.#lastCut?.surelyIncludes(transaction) !== true);
      if (still === undefined) return null;
      if (clock.monotonicMs() >= untilMs) return still;
      await clock.sleep(pauseMs, signal);
    }
  }

  #timeout(table: TableId, transaction: Transaction): MillraceError {
    const seconds = Math.round(this.#options.timeoutMs / 1000);
    return new MillraceError(
      "COMPLETE_TIMEOUT",
      `${table}: transaction ${transaction.id} has a row without all its values and was not visible within ${seconds} s`,
      { place: { table } },
    );
  }
}
