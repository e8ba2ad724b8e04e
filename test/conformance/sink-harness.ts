import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Failpoint, FailpointHook } from "../../src/core/ambient.ts";
import type { Sink } from "../../src/core/sink.ts";
import { projectRoot } from "../support/project-root.ts";
import { table, batch, column, type Change } from "./batch.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import type { KilledTarget } from "./killed-target.ts";
import { commit, int64, PIPELINE, record, text } from "./sink-script.ts";

/** A failpoint, which of its calls kills, and the epoch that the sink is at when it is opened again. */
export type Kill = readonly [failpoint: Failpoint, nth: number, epoch: 0 | 1 | 2];

/** One target of a sink under test, empty at first. */
export interface SinkHarness extends AsyncDisposable {
  make(failpoint?: FailpointHook): Sink;
  /** The target's rows in order, each cell as the sink's own text form. No sink is open. */
  rows(schema: TableSchema): Promise<readonly (readonly (string | null)[])[]>;
  /** Of a staged sink; null: it is transactional. */
  readonly staged: {
    /** Takes away what is staged and not committed, as a store does that lets it expire. */
    lose(): Promise<void>;
  } | null;
  /** Of a log: every change of the table, in order, each as its letter and its cells; null: it is a table. */
  readonly changes: ((schema: TableSchema) => Promise<readonly (readonly (string | null)[])[]>) | null;
  /** Runs `runScript` on the target in a process of its own, which kills itself at the nth call of the failpoint. */
  killedAt(failpoint: string, nth: number): Promise<void>;
}

export type MakeHarness = () => SinkHarness | Promise<SinkHarness>;

const CHILD = join(projectRoot, "dist", "test", "conformance", "killed-sink.js");

/** As `SinkHarness.killedAt`. */
export async function killedAt(target: KilledTarget, failpoint: string, nth: number): Promise<void> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(target), failpoint, String(nth)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [, death] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  if (death !== "SIGKILL") throw new Error(`the process was not killed at ${failpoint}: is dist/ built?`);
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
    await commit(sink, record(i + 1));
  }
  await sink.close();
  return harness.rows(schema);
}
