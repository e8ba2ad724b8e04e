import { describe, expect, test } from "vitest";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import { initialState, reduce, type PipelineState } from "../core/pipeline-state.ts";
import { tableId, type TableId } from "../core/table-schema.ts";
import type { Pace } from "../observe/progress-meter.ts";
import { COLOURS, NO_COLOURS } from "./paint.ts";
import { progressFrame } from "./progress-frame.ts";
import { textWidth, visibleWidth } from "./text-width.ts";

const ORDERS = tableId("public", "orders");
const LINES = tableId("public", "order_lines");
const CUSTOMERS = tableId("public", "customers");
const BROKEN = tableId("public", "注文");

const table = (id: TableId, state: Extract<PipelineEvent, { kind: "table" }>["state"]): PipelineEvent => ({
  kind: "table",
  table: id,
  incarnation: 1,
  state,
});
const rows = (id: TableId, count: number, origin: "snapshot" | "log" = "snapshot"): PipelineEvent => ({
  kind: "delivered",
  table: id,
  origin,
  rows: count,
});
const play = (...events: readonly PipelineEvent[]): PipelineState =>
  events.reduce((state, event) => reduce(state, event, 10_000), initialState(9000));

const SHOP = play(
  { kind: "running" },
  table(ORDERS, { kind: "snapshotting", progress: null }),
  { kind: "planned", table: ORDERS, rowsEstimate: 1_000_000, chunksEstimate: 10 },
  { kind: "chunk-started", table: ORDERS },
  { kind: "chunk-started", table: ORDERS },
  rows(ORDERS, 430_000),
  { kind: "chunk-ended", table: ORDERS, rows: 100_000, abandoned: false },
  rows(ORDERS, 12, "log"),
  table(LINES, { kind: "planned" }),
  table(CUSTOMERS, { kind: "streaming", rows: 50_000 }),
  { kind: "log", position: "0/20" },
  { kind: "committed", epoch: 1042, position: "0/10", commitTimeMs: 9600, rows: 5, tookMs: 3 },
);
const PACE: Pace = {
  rowsPerSecond: new Map([[ORDERS, 98_765]]),
  changesPerSecond: 1234,
  etaMs: new Map([[ORDERS, 5771]]),
};
const IDLE: Pace = { rowsPerSecond: new Map(), changesPerSecond: 0, etaMs: new Map() };

const frame = (state: PipelineState, pace: Pace, columns = 120, height = 24): readonly string[] =>
  progressFrame({ pipeline: "shop", state, pace, nowMs: 10_000, columns, rows: height, palette: NO_COLOURS });

describe("the frame", () => {
  test("has all there is where there is room", () => {
    expect(frame(SHOP, PACE)).toEqual([
      "public.orders       snapshot   █████▏······  43%  430k/1.00M rows  1/10 chunks +1  98.8k/s  0:06 left  12 changes",
      "public.order_lines  planned",
      "public.customers    streaming                          50.0k rows",
      "",
      "shop running · lag 400 ms · 1.23k changes/s · epoch 1,042 · 0/10",
    ]);
  });

  test("loses its least columns on a narrow terminal", () => {
    expect(frame(SHOP, PACE, 80)).toEqual([
      "public.orders       snapshot   43%  430k/1.00M rows  98.8k/s  0:06 left",
      "public.order_lines  planned",
      "public.customers    streaming            50.0k rows",
      "",
      "shop running · lag 400 ms · 1.23k changes/s · epoch 1,042 · 0/10",
    ]);
    expect(frame(SHOP, PACE, 60)).toEqual([
      "public.orders       snapshot   43%  430k/1.00M rows",
      "public.order_lines  planned",
      "public.customers    streaming            50.0k rows",
      "",
      "shop running · lag 400 ms · 1.23k changes/s · epoch 1,042 …",
    ]);
  });

  test("counts the tables that a low terminal has no line for, those that move shown first", () => {
    expect(frame(SHOP, PACE, 80, 6)).toEqual([
      "public.orders  snapshot  43%  430k/1.00M rows  98.8k/s  0:06 left",
      "and 2 more tables: 1 planned, 1 streaming",
      "",
      "shop running · lag 400 ms · 1.23k changes/s · epoch 1,042 · 0/10",
    ]);
  });

  test("says how it starts, before there is a table", () => {
    expect(frame(play({ kind: "starting", step: "connecting to the source" }), IDLE)).toEqual([
      "shop starting: connecting to the source",
    ]);
  });

  test("says why a table stopped, and what is waited for, without control characters", () => {
    const state = play(
      { kind: "waiting", on: "transaction 7\u001b[2J" },
      table(CUSTOMERS, { kind: "streaming", rows: 3 }),
      table(BROKEN, { kind: "stopped", code: "INTERNAL", message: "its key changed", at: "0/5" }),
      { kind: "stopping" },
    );
    expect(frame(state, IDLE)).toEqual([
      'public."注文"     stopped    0 rows',
      "public.customers  streaming  3 rows",
      'public."注文": INTERNAL: its key changed',
      "",
      "waiting for transaction 7�[2J",
      "shop stopping: finishing the epoch (once more to stop at once)",
    ]);
  });

  test("is never wider or higher than the terminal, in colours neither", () => {
    const many = Array.from({ length: 60 }, (_, i) => tableId("public", `表${"x".repeat(i)}`));
    const state = play(
      ...many.map((id) => table(id, { kind: "snapshotting", progress: null })),
      ...many.map((id) => rows(id, 5)),
    );
    for (const [columns, height] of [
      [200, 50],
      [80, 24],
      [40, 10],
      [20, 6],
      [11, 3],
    ] as const)
      for (const palette of [NO_COLOURS, COLOURS]) {
        const lines = progressFrame({ pipeline: "shop", state, pace: IDLE, nowMs: 0, columns, rows: height, palette });
        expect(Math.max(...lines.map(visibleWidth))).toBeLessThan(columns);
        expect(lines.length).toBeLessThan(Math.max(height, 5));
      }
  });
});

test("wide and combining characters are counted as a terminal shows them", () => {
  expect(["abc", "注文", "ü", "u\u0308", "🚚", "한글"].map(textWidth)).toEqual([3, 4, 1, 1, 2, 4]);
});
