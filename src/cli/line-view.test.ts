import { expect, test } from "vitest";
import { recordedScreen } from "../../test/support/recorded-screen.ts";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import { initialState, reduce, type PipelineState } from "../core/pipeline-state.ts";
import type { TableState } from "../core/record.ts";
import { tableId } from "../core/table-schema.ts";
import { LineView } from "./line-view.ts";

const ORDERS = tableId("public", "orders");
const NOON_MS = new Date(2026, 0, 1, 12, 0, 0).getTime();
const table = (state: TableState): PipelineEvent => ({ kind: "table", table: ORDERS, incarnation: 1, state });

/** A view that is told events, at noon and later. */
function shown() {
  const screen = recordedScreen(40, 24, false);
  const view = new LineView(screen, screen, "shop");
  let state: PipelineState = initialState(NOON_MS);
  let nowMs = NOON_MS;
  return {
    screen,
    view,
    event: (event: PipelineEvent): void => {
      state = reduce(state, event, nowMs);
      view.event(event, state, nowMs);
    },
    state: () => state,
    /** Sets the clock to so many seconds behind noon. */
    at: (second: number): number => (nowMs = NOON_MS + second * 1000),
  };
}

test("a line for what happens, and one every ten seconds for what goes on", () => {
  const { screen, view, event, state, at } = shown();
  event({ kind: "starting", step: "connecting" });
  event({ kind: "notice", text: "created slot millrace_shop" });
  event(table({ kind: "planned" }));
  event(table({ kind: "snapshotting", progress: null }));
  event({ kind: "planned", table: ORDERS, rowsEstimate: 100_000, chunksEstimate: 1 });
  event({ kind: "running" });
  event({ kind: "waiting", on: "transaction 741" });
  event({ kind: "waiting", on: null });
  event({ kind: "log", position: "0/2" });
  for (let second = 1; second <= 12; second++) {
    const nowMs = at(second);
    event({ kind: "delivered", table: ORDERS, origin: "snapshot", rows: 1000 });
    event({ kind: "delivered", table: ORDERS, origin: "log", rows: 10 });
    event({ kind: "committed", epoch: second, position: "0/2", commitTimeMs: nowMs, rows: 1010, tookMs: 3 });
    view.tick(state(), nowMs);
  }
  event(table({ kind: "streaming", rows: 12_000 }));
  event(table({ kind: "streaming", rows: 12_000 }));
  event({ kind: "stopping" });
  event(table({ kind: "stopped", code: "INTERNAL", message: "its key changed", at: "0/5" }));
  event({ kind: "stopped" });
  view.end("stopped", state(), at(12));
  expect(screen.take().split("\n")).toEqual([
    "12:00:00 connecting",
    "12:00:00 created slot millrace_shop",
    "12:00:00 table public.orders: snapshot begins",
    "12:00:00 running",
    "12:00:00 waiting for transaction 741",
    "12:00:10 table public.orders: 10,000 of about 100,000 rows (10%), 1,000 rows/s, about 1 min 30 s left",
    "12:00:10 lag 0 ms, 10 changes/s, 100 changes so far, epoch 10 at 0/2",
    "12:00:12 table public.orders: snapshot done, 12,000 rows; streaming",
    "12:00:12 stopping",
    "12:00:12 table public.orders: stopped at 0/5: INTERNAL: its key changed",
    "12:00:12 shop stopped after 12.0 s: 1 table, 12,000 snapshot rows, 120 changes",
    "12:00:12 table public.orders has stopped: INTERNAL: its key changed",
    "12:00:12 epoch 12 is in the sink, up to 0/2",
    "",
  ]);
});

test("a table that goes on after a restart says so", () => {
  const { screen, event } = shown();
  event(table({ kind: "snapshotting", progress: { max: ["9"], done: [], rows: 4000 } }));
  event({ kind: "running" });
  event(table({ kind: "streaming", rows: 5000 }));
  expect(screen.take().split("\n")).toEqual([
    "12:00:00 table public.orders: snapshot goes on behind 4,000 rows",
    "12:00:00 running",
    "12:00:00 table public.orders: snapshot done, 5,000 rows; streaming",
    "",
  ]);
});

test("many tables that are read for the first time are counted, and a small one is told when it is done", () => {
  const { screen, event } = shown();
  for (let i = 0; i < 21; i++)
    event({ kind: "table", table: tableId("public", `t${i}`), incarnation: 1, state: { kind: "planned" } });
  event({ kind: "running" });
  event({ kind: "table", table: tableId("public", "t9"), incarnation: 1, state: { kind: "streaming", rows: 3 } });
  expect(screen.take().split("\n")).toEqual([
    "12:00:00 21 tables: 21 planned",
    "12:00:00 running",
    "12:00:00 table public.t9: snapshot done, 3 rows; streaming",
    "",
  ]);
});

test("many tables are counted when the run has started, and those that have stopped are named", () => {
  const { screen, event } = shown();
  const lives: readonly TableState[] = [
    { kind: "planned" },
    { kind: "stopped", code: "SCHEMA_CHANGED", message: "its key changed", at: "0/5" },
    { kind: "streaming", rows: 7 },
    { kind: "snapshotting", progress: null },
  ];
  for (let i = 0; i < 2000; i++)
    event({ kind: "table", table: tableId("public", `t${i}`), incarnation: 1, state: lives[Math.min(i, 3)]! });
  expect(screen.take()).toBe("");
  event({ kind: "running" });
  event({ kind: "table", table: tableId("public", "t9"), incarnation: 1, state: { kind: "streaming", rows: 3 } });
  expect(screen.take().split("\n")).toEqual([
    "12:00:00 2,000 tables: 1 planned, 1,997 snapshotting, 1 streaming, 1 stopped",
    "12:00:00 table public.t1: stopped at 0/5: SCHEMA_CHANGED: its key changed",
    "12:00:00 running",
    "12:00:00 table public.t9: snapshot done, 3 rows; streaming",
    "",
  ]);
});
