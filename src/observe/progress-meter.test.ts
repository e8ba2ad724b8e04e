import { expect, test } from "vitest";
import { initialState, reduce, type PipelineState } from "../core/pipeline-state.ts";
import { tableId } from "../core/table-schema.ts";
import { ProgressMeter } from "./progress-meter.ts";
import { Rate } from "./rate.ts";

test("a steady counter's rate is exact, from the second reading on", () => {
  const rate = new Rate(3000);
  expect(rate.perSecond).toBe(0);
  rate.observe(100, 0);
  expect(rate.perSecond).toBe(0);
  for (let ms = 100; ms <= 1000; ms += 100) rate.observe(100 + ms * 2, ms);
  expect(rate.perSecond).toBeCloseTo(2000, 6);
});

test("a rate follows a change and forgets what was", () => {
  const rate = new Rate(1000);
  rate.observe(0, 0);
  rate.observe(1000, 1000);
  rate.observe(1000, 2000);
  expect(rate.perSecond).toBeCloseTo(1000 / 3, 6);
  for (let ms = 3000; ms <= 20_000; ms += 1000) rate.observe(1000, ms);
  expect(rate.perSecond).toBeLessThan(0.01);
});

test("a counter that goes back begins anew", () => {
  const rate = new Rate(1000);
  rate.observe(500, 0);
  rate.observe(600, 100);
  rate.observe(10, 200);
  expect(rate.perSecond).toBe(0);
  rate.observe(20, 300);
  expect(rate.perSecond).toBeCloseTo(100, 6);
});

test("a snapshot's remaining time is told from its own rate", () => {
  const table = tableId("public", "orders");
  const meter = new ProgressMeter();
  let state: PipelineState = initialState(0);
  state = reduce(state, { kind: "table", table, incarnation: 1, state: { kind: "snapshotting", progress: null } }, 0);
  state = reduce(state, { kind: "planned", table, rowsEstimate: 10_000, chunksEstimate: 1 }, 0);
  expect(meter.observe(state, 0).etaMs.size).toBe(0);
  state = reduce(state, { kind: "delivered", table, origin: "snapshot", rows: 1000 }, 1000);
  state = reduce(state, { kind: "delivered", table, origin: "log", rows: 50 }, 1000);
  const pace = meter.observe(state, 1000);
  expect(pace.rowsPerSecond.get(table)).toBeCloseTo(1000, 6);
  expect(pace.etaMs.get(table)).toBeCloseTo(9000, 3);
  expect(pace.changesPerSecond).toBeCloseTo(50, 6);
  state = reduce(state, { kind: "table", table, incarnation: 1, state: { kind: "streaming", rows: 1000 } }, 2000);
  expect(meter.observe(state, 2000).etaMs.size).toBe(0);
});
