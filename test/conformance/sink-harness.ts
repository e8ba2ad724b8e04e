import type { FailpointHook } from "../../src/core/ambient.ts";
import type { Sink } from "../../src/core/sink.ts";
import { table, batch, column, type Change } from "./batch.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { int64, PIPELINE, record, text } from "./sink-script.ts";

/** One target of a sink under test, empty at first. */
export interface SinkHarness extends AsyncDisposable {
  make(failpoint?: FailpointHook): Sink;
  /** The target's rows in order, each cell as the sink's own text form. No sink is open. */
  rows(schema: TableSchema): Promise<readonly (readonly (string | null)[])[]>;
  /** Runs `runScript` on the target in a process of its own, which kills itself at the nth call of the failpoint. */
  killedAt(failpoint: string, nth: number): Promise<void>;
}

export const signal: AbortSignal = new AbortController().signal;
export const orders: TableSchema = table(
  "orders",
  [column("id", int64), column("name", text), column("note", text)],
  [0],
);
export const lines: TableSchema = table("lines", [column("a", int64), column("b", text)], []);

export async function opened(harness: SinkHarness): Promise<Sink> {
  const sink = harness.make();
  await sink.open(PIPELINE, signal);
  return sink;
}

/** One epoch after the other over a new table, each given as its batches; then the rows. */
export async function rowsAfter(
  harness: SinkHarness,
  schema: TableSchema,
  epochs: readonly (readonly Change[])[][],
): Promise<readonly (readonly (string | null)[])[]> {
  const sink = await opened(harness);
  await sink.beginTable(schema, 1, "create");
  for (const [i, batches] of epochs.entries()) {
    for (const changes of batches) await sink.write(batch(schema, changes));
    await sink.commit(record(i + 1));
  }
  await sink.close();
  return harness.rows(schema);
}
