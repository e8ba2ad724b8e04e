import { describe, expect, test } from "vitest";
import { MillraceError } from "../core/errors.ts";
import {
  dueReason,
  firstEpoch,
  hasContent,
  reduceEpoch,
  type EpochEvent,
  type EpochState,
  type OpenEpoch,
} from "./epoch-state.ts";

const from = { epoch: 7, token: 3, parts: new Map([["position", "p7"]]) };
const open = firstEpoch("shop", from, 1000);
const error = new MillraceError("INTERNAL", "the sink is gone");
const record = { pipeline: "shop", epoch: 8, token: 3, parts: new Map([["position", "p8"]]) };

const STATES = {
  open,
  closing: { kind: "closing", reason: "interval", rows: 2, record },
  prepared: { kind: "prepared", rows: 2, record },
  stored: { kind: "stored", rows: 2, record },
  committed: { kind: "committed", rows: 2, record },
  failed: { kind: "failed", in: "stored", error },
} as const satisfies { readonly [Kind in EpochState["kind"]]: EpochState };

const EVENTS = {
  written: { kind: "written", rows: 2, inTransaction: true },
  parts: { kind: "parts", parts: new Map([["table/a", { rows: 1 }]]) },
  progress: { kind: "progress", position: "p8" },
  close: { kind: "close", reason: "stop" },
  prepared: { kind: "prepared", committable: ["a file"] },
  stored: { kind: "stored" },
  committed: { kind: "committed" },
  acknowledged: { kind: "acknowledged", atMs: 2000 },
  failed: { kind: "failed", error },
} as const satisfies { readonly [Kind in EpochEvent["kind"]]: EpochEvent };

/** Every state with every event: the kind it becomes, or null where the event is a defect. */
const TABLE: { readonly [S in EpochState["kind"]]: { readonly [E in EpochEvent["kind"]]: EpochState["kind"] | null } } =
  {
    open: {
      written: "open",
      parts: "open",
      progress: "open",
      close: "closing",
      prepared: null,
      stored: null,
      committed: null,
      acknowledged: null,
      failed: "failed",
    },
    closing: {
      written: null,
      parts: null,
      progress: null,
      close: null,
      prepared: "prepared",
      stored: null,
      committed: null,
      acknowledged: null,
      failed: "failed",
    },
    prepared: {
      written: null,
      parts: null,
      progress: null,
      close: null,
      prepared: null,
      stored: "stored",
      committed: null,
      acknowledged: null,
      failed: "failed",
    },
    stored: {
      written: null,
      parts: null,
      progress: null,
      close: null,
      prepared: null,
      stored: null,
      committed: "committed",
      acknowledged: null,
      failed: "failed",
    },
    committed: {
      written: null,
      parts: null,
      progress: null,
      close: null,
      prepared: null,
      stored: null,
      committed: null,
      acknowledged: "open",
      failed: "failed",
    },
    failed: {
      written: null,
      parts: null,
      progress: null,
      close: null,
      prepared: null,
      stored: null,
      committed: null,
      acknowledged: null,
      failed: "failed",
    },
  };

const CASES = Object.values(STATES).flatMap((state) =>
  Object.values(EVENTS).map((event) => [state.kind, event.kind, TABLE[state.kind][event.kind]] as const),
);

function after(...events: EpochEvent[]): EpochState {
  return events.reduce<EpochState>(reduceEpoch, open);
}

function openAfter(...events: EpochEvent[]): OpenEpoch {
  const state = after(...events);
  if (state.kind !== "open") throw new Error(`it is ${state.kind}`);
  return state;
}

describe("an epoch", () => {
  test.each(CASES)("that is %s and is %s becomes %s", (state, event, becomes) => {
    const run = (): string => reduceEpoch(STATES[state], EVENTS[event]).kind;
    if (becomes === null) expect(run).toThrow(`an epoch that is ${state} cannot be ${event}`);
    else expect(run()).toBe(becomes);
  });

  test("makes a record of what changed, and the position with it", () => {
    const closing = after(EVENTS.parts, EVENTS.written, EVENTS.progress, EVENTS.close);
    const parts = new Map<string, unknown>([
      ["table/a", { rows: 1 }],
      ["position", "p8"],
    ]);
    expect(closing).toEqual({
      kind: "closing",
      reason: "stop",
      rows: 2,
      record: { pipeline: "shop", epoch: 8, token: 3, parts },
    });
  });

  test("that moved no position carries the old one", () => {
    const closing = after(EVENTS.parts, EVENTS.close);
    expect(closing.kind === "closing" && closing.record.parts.get("position")).toBe("p7");
  });

  test("takes a part away by a null", () => {
    const closing = after({ kind: "parts", parts: new Map([["table/a", null]]) }, EVENTS.close);
    expect(closing.kind === "closing" && closing.record.parts.get("table/a")).toBeNull();
  });

  test("has in its record what the sink staged, and nothing of a transactional sink", () => {
    const staged = after(EVENTS.parts, EVENTS.close, EVENTS.prepared);
    expect(staged.kind === "prepared" && staged.record.parts.get("staged")).toEqual(["a file"]);
    const plain = after(EVENTS.parts, EVENTS.close, { kind: "prepared", committable: null });
    expect(plain.kind === "prepared" && plain.record.parts.has("staged")).toBe(false);
  });

  test("cannot end inside a transaction", () => {
    expect(() => after(EVENTS.written, EVENTS.close)).toThrow("epoch 8 cannot end inside a transaction (stop)");
  });

  test("is followed by the next, which begins where it ended", () => {
    expect(reduceEpoch(STATES.committed, EVENTS.acknowledged)).toEqual({
      ...open,
      epoch: 9,
      openedAtMs: 2000,
      committedPosition: "p8",
    });
  });

  test("that failed keeps its first error and where it was", () => {
    const failed = reduceEpoch(STATES.committed, EVENTS.failed);
    expect(failed).toEqual({ kind: "failed", in: "committed", error });
    expect(reduceEpoch(failed, { kind: "failed", error: new MillraceError("INTERNAL", "second") })).toBe(failed);
  });
});

describe("an epoch is due", () => {
  const limits = { intervalMs: 1000, changesMax: 100, bytesMax: 1_000_000 };
  const due = (state: OpenEpoch, pendingBytes = 0, nowMs = 1000): string | null =>
    dueReason(state, limits, pendingBytes, nowMs);

  test("by its interval, rows and bytes, at a boundary", () => {
    const full = openAfter(EVENTS.written, EVENTS.progress);
    expect(due(full, 0, 1999)).toBeNull();
    expect(due(full, 0, 2000)).toBe("interval");
    const written = (rows: number, inTransaction: boolean): OpenEpoch =>
      openAfter({ kind: "written", rows, inTransaction }, EVENTS.progress);
    expect(due(written(100, true))).toBe("rows");
    expect(due(written(99, true))).toBeNull();
    expect(due(full, 1_000_000)).toBe("bytes");
    expect(due(written(1e6, false), 999_999)).toBeNull();
  });

  test("not inside a transaction, however large", () => {
    expect(due(openAfter(EVENTS.written), 9e9, 9e9)).toBeNull();
  });

  test("not when nothing changed; a moved position or another part is a change", () => {
    const still = openAfter({ kind: "progress", position: "p7" });
    expect(hasContent(still)).toBe(false);
    expect(due(still, 0, 9e9)).toBeNull();
    expect(due(openAfter(EVENTS.progress), 0, 2000)).toBe("interval");
    expect(due(openAfter(EVENTS.parts), 0, 2000)).toBe("interval");
  });

  test("not when the position only went forth and back", () => {
    expect(hasContent(openAfter(EVENTS.progress, { kind: "progress", position: "p7" }))).toBe(false);
  });
});
