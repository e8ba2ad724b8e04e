import { describe, expect, test } from "vitest";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import { initialState, reduce, type PipelineState } from "../core/pipeline-state.ts";
import type { CommittedRecord, TablePart } from "../core/record.ts";
import { tableId } from "../core/table-schema.ts";
import { MillraceError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import { NO_COLOURS } from "./paint.ts";
import { statusLines } from "./status-lines.ts";
import { statusReport, type StatusInput, type StatusReport } from "./status-report.ts";

const ORDERS = tableId("public", "orders");
const OLD = tableId("public", "old");
const NOW_MS = 100_000;

const part = (state: TablePart["state"]): Json =>
  ({ state, incarnation: 2, fingerprint: "f", schema: { id: ORDERS } }) as unknown as Json;
const RECORD: CommittedRecord = {
  epoch: 42,
  token: 3,
  parts: new Map([
    ["position", { position: "0/16B3748", unsettled: [] }],
    [`table/${ORDERS}`, part({ kind: "snapshotting", progress: { max: ["secret-key"], done: [], rows: 400 } })],
    [`table/${OLD}`, part({ kind: "stopped", code: "INTERNAL", message: "its key changed", at: "0/5" })],
  ]),
};

const play = (...events: readonly PipelineEvent[]): PipelineState =>
  events.reduce((state, event) => reduce(state, event, 99_000), initialState(40_000));
const RUNNING = play(
  { kind: "running" },
  { kind: "table", table: ORDERS, incarnation: 2, state: { kind: "snapshotting", progress: null } },
  { kind: "planned", table: ORDERS, rowsEstimate: 1000, chunksEstimate: 2 },
  { kind: "delivered", table: ORDERS, origin: "snapshot", rows: 500 },
  { kind: "delivered", table: ORDERS, origin: "log", rows: 7 },
  { kind: "log", position: "0/20" },
  { kind: "committed", epoch: 43, position: "0/10", commitTimeMs: 98_000, rows: 12, tookMs: 8 },
);

function report(state: PipelineState | null, more: Partial<StatusInput> & { updatedAtMs?: number } = {}): StatusReport {
  const { updatedAtMs = 99_500, ...input } = more;
  return statusReport({
    pipeline: "shop",
    document: state === null ? null : { version: 1, pipeline: "shop", pid: 7, updatedAtMs, state },
    isAlive: () => true,
    record: RECORD,
    position: "0/16B3748",
    checkpointProblem: null,
    source: { kind: "unreachable", code: "INTERNAL", message: "connection refused" },
    sink: { type: "duckdb", place: "/data/w.duckdb", files: null },
    workers: null,
    nowMs: NOW_MS,
    ...input,
  });
}
const lines = (of: StatusReport): readonly string[] => statusLines(of, NOW_MS, 100, NO_COLOURS);

describe("the run", () => {
  test.each([
    ["never", report(null)],
    ["running", report(RUNNING)],
    ["silent", report(RUNNING, { updatedAtMs: 80_000 })],
    ["gone", report(RUNNING, { isAlive: () => false })],
    ["ended", report(reduce(RUNNING, { kind: "stopped" }, NOW_MS))],
    ["ended", report(reduce(RUNNING, { kind: "failed", error: new MillraceError("INTERNAL", "x") }, NOW_MS))],
  ])("is %s", (kind, { run }) => {
    expect(run.kind).toBe(kind);
  });
});

test("of a live run its own counts are shown, of one that is over the record's", () => {
  expect(report(RUNNING).tables).toMatchObject([
    { table: OLD, life: { kind: "stopped", code: "INTERNAL" }, rowsDone: 0, changes: null },
    { table: ORDERS, life: { kind: "snapshotting" }, rowsDone: 500, rowsEstimate: 1000, changes: 7 },
  ]);
  expect(report(RUNNING, { isAlive: () => false }).tables[1]).toMatchObject({
    rowsDone: 400,
    rowsEstimate: 1000,
    changes: 7,
  });
});

test("no key value of the record is in the report", () => {
  expect(JSON.stringify(report(RUNNING))).not.toContain("secret-key");
});

test("for people, while it runs", () => {
  const source: StatusInput["source"] = {
    kind: "reachable",
    status: {
      identity: null,
      head: "0/30",
      retainedBytes: 16_200_000,
      facts: [{ name: "wal_status", value: "reserved" }],
    },
  };
  expect(lines(report(RUNNING, { source }))).toEqual([
    "pipeline   shop",
    "run        running (process 7, for 1 min)",
    "committed  epoch 42, up to 0/16B3748; the last one 1.0 s ago, 12 rows in 8 ms",
    "lag        2.0 s",
    "sink       duckdb /data/w.duckdb",
    "source     at 0/30",
    "kept back  16.2 MB of log",
    "wal_status reserved",
    "",
    "public.old     stopped                              0 rows",
    "public.orders  snapshotting  500 of about 1,000 rows (50%)  7 changes",
    "public.old at 0/5: INTERNAL: its key changed",
  ]);
});

test("for people, after it failed and while the source cannot be reached", () => {
  const error = new MillraceError("INTERNAL", "the log connection broke", { hint: "Run again." });
  expect(lines(report(reduce(RUNNING, { kind: "failed", error }, 99_500))).slice(0, 7)).toEqual([
    "pipeline   shop",
    "run        failed: INTERNAL 500 ms ago",
    "           the log connection broke",
    "           hint: Run again.",
    "committed  epoch 42, up to 0/16B3748; the last one 1.0 s ago, 12 rows in 8 ms",
    "sink       duckdb /data/w.duckdb",
    "source     not reached: INTERNAL: connection refused",
  ]);
});

test("for people, where there is nothing yet", () => {
  expect(lines(report(null, { record: null }))).toEqual([
    "pipeline   shop",
    "run        has not run yet",
    "committed  nothing yet",
    "sink       duckdb /data/w.duckdb",
    "source     not reached: INTERNAL: connection refused",
  ]);
});

test("of a sink of files, how many and how large the last epoch's are", () => {
  const sink = (count: number): StatusInput["sink"] => ({
    type: "parquet",
    place: "s3://shop/lake/",
    files: { count, rows: 500 * count, bytes: 600_000 * count },
  });
  expect(lines(report(null, { sink: sink(2) }))).toContain(
    "sink       parquet s3://shop/lake/; in the last epoch 2 files, 1.20 MB",
  );
  expect(lines(report(null, { sink: sink(0) }))).toContain(
    "sink       parquet s3://shop/lake/; in the last epoch no file",
  );
});

describe("the workers", () => {
  const counts = { attempt: 1, workersLost: 0 };
  const lease = { chunk: "3-12-1", table: ORDERS, worker: "vm-1", sinceMs: NOW_MS - 3000, silent: false, ...counts };
  const shown = (workers: StatusInput["workers"]): string => lines(report(RUNNING, { workers })).join("\n");

  test("are not spoken of where the run reads its chunks itself", () => {
    expect(shown(null)).not.toMatch(/workers|leases/);
  });

  test("are named, with the chunks that they hold", () => {
    const text = shown({ kind: "reachable", workers: ["vm-1", "vm-2"], leases: [lease], waiting: 4 });
    expect(text).toMatch(/^workers +2: vm-1, vm-2$/m);
    expect(text).toMatch(/^leases +1 chunk being read, 4 waiting\n +3-12-1 of public.orders: vm-1 for 3/m);
  });

  test("that are not heard of are shown as such", () => {
    const leases = [lease, { ...lease, chunk: "3-13-1", silent: true }];
    const text = shown({ kind: "reachable", workers: ["vm-1"], leases, waiting: 0 });
    expect(text).toMatch(/3-12-1 of public\.orders: vm-1 for \S+ ?\S*$/m);
    expect(text).toMatch(/3-13-1 of public\.orders: vm-1 for .*, not heard of$/m);
  });

  test("that were lost are counted, and chunks that are read again", () => {
    const leases = [{ ...lease, workersLost: 2 }, { ...lease, chunk: "3-13-2", attempt: 2 }, lease];
    const text = shown({ kind: "reachable", workers: ["vm-1"], leases, waiting: 0 });
    expect(text).toContain("3 chunks being read, 0 waiting; 2 not for the first time; 2 workers lost over them");
  });

  test("may not be there, or not be known", () => {
    expect(shown({ kind: "reachable", workers: [], leases: [], waiting: 1 })).toMatch(/^workers +none$/m);
    const away = { kind: "unreachable", code: "CHECKPOINT_UNREACHABLE", message: "the queue does not answer" } as const;
    expect(shown(away)).toMatch(/^workers +not known: CHECKPOINT_UNREACHABLE: the queue does not answer$/m);
  });
});
