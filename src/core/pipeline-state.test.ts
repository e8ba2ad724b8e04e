import { describe, expect, test } from "vitest";
import { MillraceError } from "./errors.ts";
import type { PipelineEvent } from "./pipeline-event.ts";
import { initialState, lagMs, reduce, type PipelineState, type TableProgress } from "./pipeline-state.ts";
import type { TableState } from "./record.ts";
import { tableId } from "./table-schema.ts";

const ORDERS = tableId("public", "orders");
const { facts } = initialState(1000);

const STATES: { readonly [K in PipelineState["kind"]]: Extract<PipelineState, { kind: K }> } = {
  starting: { kind: "starting", step: "connecting", facts },
  running: { kind: "running", facts },
  stopping: { kind: "stopping", facts },
  stopped: { kind: "stopped", atMs: 1500, facts },
  failed: { kind: "failed", atMs: 1500, error: { code: "INTERNAL", message: "m", hint: "h" }, facts },
};

const EVENTS: { readonly [K in PipelineEvent["kind"]]: Extract<PipelineEvent, { kind: K }> } = {
  starting: { kind: "starting", step: "again" },
  notice: { kind: "notice", text: "created slot s" },
  waiting: { kind: "waiting", on: "transaction 7" },
  running: { kind: "running" },
  table: { kind: "table", table: ORDERS, incarnation: 1, state: { kind: "planned" } },
  planned: { kind: "planned", table: ORDERS, rowsEstimate: 10, chunksEstimate: 2 },
  "chunk-started": { kind: "chunk-started", table: ORDERS },
  "chunk-ended": { kind: "chunk-ended", table: ORDERS, rows: 5, abandoned: false },
  delivered: { kind: "delivered", table: ORDERS, origin: "log", rows: 3 },
  committed: { kind: "committed", epoch: 1, position: "0/1", commitTimeMs: 900, rows: 3, tookMs: 4 },
  log: { kind: "log", position: "0/2" },
  stopping: { kind: "stopping" },
  stopped: { kind: "stopped" },
  failed: { kind: "failed", error: new MillraceError("INTERNAL", "it broke") },
};

type Kind = PipelineState["kind"];

/** What each event makes of each state: a new member of either union does not compile until it stands here. */
const stays = {
  starting: "starting",
  running: "running",
  stopping: "stopping",
  stopped: "stopped",
  failed: "failed",
} as const;
const TABLE: { readonly [E in PipelineEvent["kind"]]: { readonly [S in Kind]: Kind } } = {
  starting: { ...stays, running: "starting" },
  running: { ...stays, starting: "running" },
  stopping: { ...stays, starting: "stopping", running: "stopping" },
  stopped: { ...stays, starting: "stopped", running: "stopped", stopping: "stopped" },
  failed: { ...stays, starting: "failed", running: "failed", stopping: "failed" },
  notice: stays,
  waiting: stays,
  table: stays,
  planned: stays,
  "chunk-started": stays,
  "chunk-ended": stays,
  delivered: stays,
  committed: stays,
  log: stays,
};

describe.each(Object.entries(TABLE))("%s", (event, row) => {
  test.each(Object.entries(row))("in %s leads to %s", (from, to) => {
    const before = STATES[from as Kind];
    const after = reduce(before, EVENTS[event as PipelineEvent["kind"]], 2000);
    expect(after.kind).toBe(to);
    if (from === "stopped" || from === "failed") expect(after).toBe(before);
  });
});

function play(...events: readonly PipelineEvent[]): PipelineState {
  let nowMs = 1000;
  return events.reduce((state, event) => reduce(state, event, (nowMs += 100)), initialState(nowMs));
}

const orders = (state: PipelineState): TableProgress | undefined => state.facts.tables.get(ORDERS);

const table = (state: TableState, incarnation = 1): PipelineEvent => ({
  kind: "table",
  table: ORDERS,
  incarnation,
  state,
});
const snapshotting = (rows: number): PipelineEvent =>
  table({ kind: "snapshotting", progress: { max: ["99"], done: [{ lower: null, upper: ["9"] }], rows } });
const snapshotRows = (rows: number): PipelineEvent => ({ kind: "delivered", table: ORDERS, origin: "snapshot", rows });

describe("a table", () => {
  test("counts rows, chunks and changes", () => {
    const state = play(
      snapshotting(0),
      { kind: "planned", table: ORDERS, rowsEstimate: 100, chunksEstimate: 2 },
      EVENTS["chunk-started"],
      EVENTS["chunk-started"],
      EVENTS["chunk-started"],
      snapshotRows(40),
      snapshotRows(10),
      EVENTS["chunk-ended"],
      { kind: "chunk-ended", table: ORDERS, rows: 50, abandoned: true },
      EVENTS.delivered,
    );
    expect(orders(state)).toEqual({
      life: { kind: "snapshotting" },
      incarnation: 1,
      rowsDone: 50,
      rowsEstimate: 100,
      chunksDone: 1,
      chunksEstimate: 2,
      chunksInFlight: 1,
      changes: 3,
    });
  });

  test("goes on from the rows of its record after a restart", () => {
    expect(orders(play(snapshotting(70), snapshotRows(5)))?.rowsDone).toBe(75);
  });

  test("is not set back by a repeated report of the same state", () => {
    expect(orders(play(snapshotting(0), snapshotRows(60), snapshotting(50)))?.rowsDone).toBe(60);
  });

  test("has its final row count when it streams, and begins at nothing in a new incarnation", () => {
    expect(orders(play(snapshotting(0), snapshotRows(60), table({ kind: "streaming", rows: 61 })))?.rowsDone).toBe(61);
    expect(orders(play(snapshotting(9), EVENTS.delivered, table({ kind: "planned" }, 2)))).toMatchObject({
      rowsDone: 0,
      incarnation: 2,
      changes: 3,
    });
  });

  test("that stopped says why and keeps its rows, and no key value reaches the state", () => {
    const stopped = { kind: "stopped", code: "INTERNAL", message: "it broke", at: "0/5" } as const;
    const state = play(snapshotting(7), table(stopped));
    expect(orders(state)).toMatchObject({ life: stopped, rowsDone: 7 });
    expect(JSON.stringify(play(snapshotting(7)))).not.toContain("99");
  });

  test("goes back to its record in another attempt", () => {
    const state = play(
      EVENTS.running,
      snapshotting(0),
      EVENTS["chunk-started"],
      snapshotRows(60),
      EVENTS.starting,
      snapshotting(50),
    );
    expect(orders(state)).toMatchObject({ rowsDone: 50, chunksInFlight: 0 });
  });
});

describe("lag", () => {
  const log = (position: string): PipelineEvent => ({ kind: "log", position });
  const committed = (position: string, commitTimeMs: number | null): PipelineEvent => ({
    kind: "committed",
    epoch: 1,
    position,
    commitTimeMs,
    rows: 0,
    tookMs: 1,
  });
  const lag = (...events: readonly PipelineEvent[]): number => lagMs(play(...events).facts, 5000);

  test("is nothing before the log is read, and where all of it is in the sink", () => {
    expect(lag()).toBe(0);
    expect(lag(log("0/2"), committed("0/2", 900))).toBe(0);
  });

  test("counts from the first read that is not in the sink", () => {
    expect(lag(committed("0/1", 900), log("0/1"), log("0/2"), log("0/3"))).toBe(5000 - 1300);
  });

  test("counts from the commit time of the last change in the sink while more is waiting", () => {
    expect(lag(log("0/2"), log("0/9"), committed("0/5", 900))).toBe(5000 - 900);
  });

  test("does not take the last transaction's age for it on a quiet source", () => {
    expect(lag(committed("0/1", 1), log("0/2"), log("0/3"), committed("0/2", 1))).toBe(5000 - 1200);
  });

  test("is never negative, whatever the source's clock says", () => {
    expect(lag(log("0/9"), committed("0/5", 99_000))).toBe(0);
  });
});

test("a state is plain data", () => {
  const state = play(snapshotting(0), EVENTS.committed, EVENTS.log, EVENTS.failed);
  const tables = state.facts.tables.toJSON();
  expect(JSON.parse(JSON.stringify(state))).toEqual({ ...state, facts: { ...state.facts, tables } });
});
