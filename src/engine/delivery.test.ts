import { expect, test } from "vitest";
import { testAmbient } from "../../test/support/test-ambient.ts";
import type { CheckpointStore } from "../core/checkpoint-store.ts";
import { MillraceError } from "../core/errors.ts";
import type { LineItem } from "../core/line.ts";
import type { Position, Transaction } from "../core/position.ts";
import type { TablePart } from "../core/record.ts";
import type { Sink } from "../core/sink.ts";
import { tableId, type TableSchema } from "../core/table-schema.ts";
import { Delivery } from "./delivery.ts";
import { Epochs } from "./epochs.ts";

const schema: TableSchema = { id: tableId("s", "t"), namespace: "s", name: "t", version: 1, columns: [], key: [] };
const transaction: Transaction = { id: "1", commitTimeMs: 0, place: "" };

function position(at: number): Position {
  return {
    has: () => false,
    covers: () => true,
    meet: () => position(at),
    serialize: () => at,
    toString: () => `${at}`,
  };
}

/** What the sink and the store were asked, in order. */
async function calls(items: readonly LineItem[]): Promise<string[]> {
  const asked: string[] = [];
  const note = async (what: string): Promise<void> => void asked.push(what);
  const sink = {
    truncate: () => note("truncate"),
    applySchema: () => note("applySchema"),
    endSnapshot: () => note("endSnapshot"),
    prepare: async () => null,
    commit: () => note("commit"),
    pendingBytes: () => 0,
  } as Partial<Sink> as Sink;
  const store = { put: async () => undefined, confirm: async () => undefined } as Partial<CheckpointStore>;
  const part: TablePart = { state: { kind: "streaming", rows: 0 }, incarnation: 1, fingerprint: "", schema };
  const quiet = { ambient: testAmbient(), events: () => undefined };
  const epochs = new Epochs({
    pipeline: "p",
    from: { epoch: 0, token: 1, parts: new Map() },
    content: { tables: new Map([[schema.id, part]]), history: [] },
    limits: { intervalMs: 1e9, changesMax: 1e9, bytesMax: 1e9 },
    sink,
    store: store as CheckpointStore,
    ...quiet,
  });
  const log = { acknowledge: () => undefined, dropTable: () => undefined };
  const snapshot = {
    unsettledIds: () => [],
    entered: () => ({ progress: null, rows: 0, complete: true }),
    forget: () => undefined,
  };
  const parts = { sink, epochs, log, snapshot, ...quiet };
  const delivery = new Delivery(parts as unknown as ConstructorParameters<typeof Delivery>[0]);
  for (const item of items) await delivery.take(item);
  return asked;
}

const progress = (at: number): LineItem => ({ kind: "progress", position: position(at), commitTimeMs: null });
const grown: LineItem = { kind: "schema", schema: { ...schema, version: 2 }, transaction };

test("an epoch ends before an alteration also where it holds nothing but a truncate or a snapshot's end", async () => {
  const truncate: LineItem = { kind: "truncate", table: schema.id, transaction };
  expect(await calls([progress(1), truncate, progress(2), grown])).toEqual(["truncate", "commit", "applySchema"]);
  const entered: LineItem = { kind: "chunk-entered", table: schema.id, chunk: 1 };
  expect(await calls([progress(1), entered, progress(2), grown])).toEqual(["endSnapshot", "commit", "applySchema"]);
  expect(await calls([progress(1), grown])).toEqual(["applySchema"]);
});

test("rows of a snapshot that are taken back between two transactions leave the line at its boundary", async () => {
  const again: LineItem = { kind: "truncate", table: schema.id, transaction: null };
  expect(await calls([progress(1), again, grown])).toEqual(["truncate", "commit", "applySchema"]);
});

test("a run's first epoch that the sink has already from another run is tried again, a later one is not", async () => {
  const fenced = (): Promise<never> => Promise.reject(new MillraceError("FENCED", "by the sink"));
  let answers: (() => Promise<void>)[] = [];
  const epochs = (): Epochs =>
    new Epochs({
      pipeline: "p",
      from: { epoch: 4, token: 2, parts: new Map() },
      content: { tables: new Map(), history: [] },
      limits: { intervalMs: 1e9, changesMax: 1e9, bytesMax: 1e9 },
      sink: { prepare: async () => null, commit: () => answers.shift()!() } as Partial<Sink> as Sink,
      store: {
        put: async () => undefined,
        confirm: async () => undefined,
      } as Partial<CheckpointStore> as CheckpointStore,
      ambient: testAmbient(),
      events: () => undefined,
    });
  const overtaken = epochs();
  answers = [fenced];
  await expect(overtaken.claim()).rejects.toMatchObject({ code: "OVERTAKEN", retry: "timed" });
  const later = epochs();
  later.progress(position(1), [], null);
  answers = [async () => undefined, fenced];
  await later.claim();
  await expect(later.commit("interval")).rejects.toMatchObject({ code: "FENCED" });
});
