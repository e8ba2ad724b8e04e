import { expect, test } from "vitest";
import { recordedScreen } from "../../test/support/recorded-screen.ts";
import { initialState, reduce, type PipelineState } from "../core/pipeline-state.ts";
import { tableId } from "../core/table-schema.ts";
import { LiveView } from "./live-view.ts";

const ORDERS = tableId("public", "orders");
const HIDE = "\u001b[?25l";
const SHOW = "\u001b[?25h";
const up = (rows: number): string => `\r\u001b[${rows}A\u001b[0J`;

const started = reduce(initialState(0), { kind: "starting", step: "connecting" }, 0);
const streaming: PipelineState = reduce(
  reduce(started, { kind: "running" }, 0),
  { kind: "table", table: ORDERS, incarnation: 1, state: { kind: "streaming", rows: 7 } },
  0,
);
const FRAME = "public.orders  streaming  7 rows\n\nshop running\n";

test("a frame is drawn over the one before", () => {
  const screen = recordedScreen();
  const view = new LiveView(screen, "shop");
  view.tick(started, 0);
  expect(screen.take()).toBe(`${HIDE}shop starting: connecting\n`);
  view.tick(streaming, 200);
  expect(screen.take()).toBe(`${HIDE}${up(1)}${FRAME}`);
  view.tick(streaming, 400);
  expect(screen.take()).toBe(`${HIDE}${up(3)}${FRAME}`);
});

test("notices and lines of the log stay above it", () => {
  const screen = recordedScreen();
  const view = new LiveView(screen, "shop");
  view.log.write("12:00:00 warn  before the first frame\n");
  expect(screen.take()).toBe("12:00:00 warn  before the first frame\n");
  view.tick(streaming, 0);
  screen.take();
  view.event({ kind: "notice", text: "created slot s\u001b[2J" }, streaming, 100);
  expect(screen.take()).toBe(`${up(3)}created slot s�[2J\n${FRAME}`);
  view.log.write("12:00:01 warn  epoch took long\n");
  expect(screen.take()).toBe(`${up(3)}12:00:01 warn  epoch took long\n${FRAME}`);
});

test("in a terminal that became narrower, the rows that its lines wrapped to are gone over as well", () => {
  const screen = recordedScreen(100);
  const view = new LiveView(screen, "shop");
  view.tick(streaming, 0);
  screen.take();
  screen.resize(20, 24);
  view.tick(streaming, 200);
  expect(screen.take()).toBe(`${HIDE}${up(4)}public.orders\n\nshop running\n`);
});

test("the end takes the frame away and leaves a summary and the cursor", () => {
  const screen = recordedScreen();
  const view = new LiveView(screen, "shop");
  view.tick(streaming, 0);
  screen.take();
  view.end("caught up", reduce(streaming, { kind: "stopped" }, 61_000), 61_000);
  expect(screen.take()).toBe(`${up(3)}shop caught up after 1 min 1 s: 1 table, 7 snapshot rows, 0 changes\n${SHOW}`);
});
