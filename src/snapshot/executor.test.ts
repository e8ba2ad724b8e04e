import { MessageChannel } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { BufferPool } from "../core/buffer-pool.ts";
import { batchBytes, type ChangeBatch } from "../core/change-batch.ts";
import type { ChunkOutcome, ChunkReader, ChunkRequest } from "../core/chunk.ts";
import { ColumnBuilder } from "../core/column-builder.ts";
import { MillraceError } from "../core/errors.ts";
import { tableId, type TableSchema } from "../core/table-schema.ts";
import type { FromWorker, ToWorker } from "./chunk-message.ts";
import { BATCH_CREDITS } from "./chunk-message.ts";
import { serveChunks } from "./chunk-server.ts";
import { testAmbient } from "../../test/support/test-ambient.ts";
import type { ChunkListener } from "./chunk-listener.ts";
import { createLocalExecutor, ThreadExecutor } from "./executor.ts";
import type { WorkerHandle } from "./chunk-client.ts";

const never: AbortSignal = new AbortController().signal;
const silent = (): void => undefined;
const ambient = testAmbient();

const schema: TableSchema = { id: tableId("s", "t"), namespace: "s", name: "t", version: 1, columns: [], key: [0] };

function request(chunk: number): ChunkRequest {
  const range = { lower: null, upper: ["9"] };
  return { grant: { chunk, attempt: 1, token: 1 }, schema, range, rowsMax: 100, bytesMax: 1e6 };
}

function outcome({ grant }: ChunkRequest, rows: number): ChunkOutcome {
  return { grant, schema, rows, bytes: rows * 4, rest: null };
}

function rows(...values: number[]): ChangeBatch {
  const builder = new ColumnBuilder({ kind: "int", bits: 32 });
  for (const value of values) {
    builder.reserve();
    builder.int32[builder.row] = value;
    builder.next();
  }
  const columns = [builder.finish()];
  return {
    schema,
    origin: "snapshot",
    length: values.length,
    columns,
    before: null,
    ops: null,
    runs: [],
    bytes: batchBytes(columns, null),
  };
}

const valuesOf = (batch: ChangeBatch): number[] => [
  ...new Int32Array(batch.columns[0]!.values.buffer, batch.columns[0]!.values.byteOffset, batch.length),
];

/** A worker that serves chunks at the other end of a message channel, in this very thread. */
function served(
  read: ChunkReader["read"],
  pool: BufferPool = new BufferPool(0),
  readers: { opened: number; disposed: number } = { opened: 0, disposed: 0 },
): WorkerHandle {
  const { port1, port2 } = new MessageChannel();
  const exits: (() => void)[] = [];
  const openReader = (): ChunkReader => {
    readers.opened++;
    return { read, [Symbol.asyncDispose]: async () => void readers.disposed++ };
  };
  void serveChunks(port2, openReader, pool).then(() => exits.forEach((exit) => exit()));
  return {
    postMessage: (message: ToWorker, transfer) => port1.postMessage(message, transfer),
    on(event: "message" | "error" | "exit", listener: (value: never) => void) {
      if (event === "message") port1.on("message", listener as (message: FromWorker) => void);
      if (event === "exit") exits.push(listener as () => void);
    },
    terminate: async () => {
      port1.close();
      exits.forEach((exit) => exit());
    },
  };
}

function oneWorker(read: ChunkReader["read"], pool?: BufferPool): ThreadExecutor {
  return new ThreadExecutor({ threads: 1, readsMax: 1, ambient }, () => served(read, pool));
}

function collecting(): ChunkListener & { readonly cuts: unknown[]; readonly batches: ChangeBatch[] } {
  const cuts: unknown[] = [];
  const batches: ChangeBatch[] = [];
  return { cuts, batches, opened: (cut) => void cuts.push(cut), batch: async (batch) => void batches.push(batch) };
}

describe("ThreadExecutor over serveChunks", () => {
  test("hands over cut, rows and outcome, and moves the buffers", async () => {
    let sent: ChangeBatch | null = null;
    const read: ChunkReader["read"] = async (asked, on) => {
      on.opened({ snapshot: "1:2:" });
      await on.batch((sent = rows(1, 2)));
      await on.batch(rows(3));
      return outcome(asked, 3);
    };
    await using executor = oneWorker(read);
    const listener = collecting();
    expect(await executor.read(request(1), listener, never)).toEqual(outcome(request(1), 3));
    expect(listener.cuts).toEqual([{ snapshot: "1:2:" }]);
    expect(listener.batches.map(valuesOf)).toEqual([[1, 2], [3]]);
    expect(listener.batches[0]!.schema).toBe(listener.batches[1]!.schema);
    expect(sent!.columns[0]!.values.byteLength).toBe(0);
  });

  test("buffers of a batch that is recycled are the reader's again, before it reads another chunk", async () => {
    const pool = new BufferPool(1 << 20);
    const values = Array.from({ length: 4096 }, (_, i) => i);
    const atStart: number[] = [];
    const read: ChunkReader["read"] = async (asked, on) => {
      atStart.push(pool.bytes);
      on.opened(null);
      await on.batch(rows(...values));
      return outcome(asked, values.length);
    };
    await using executor = oneWorker(read, pool);
    const [first, second] = [collecting(), collecting()];
    await executor.read(request(1), first, never);
    const [batch] = first.batches;
    expect(valuesOf(batch!)).toEqual(values);
    const { byteLength } = batch!.columns[0]!.values;
    batch!.recycle!();
    expect(batch!.columns[0]!.values.byteLength).toBe(0);
    await executor.read(request(2), second, never);
    expect(atStart).toEqual([0, byteLength]);
  });

  test("no more batches are under way than there are credits", async () => {
    let read = 0;
    const reader: ChunkReader["read"] = async (asked, on) => {
      on.opened(null);
      for (; read < 10; read++) await on.batch(rows(read));
      return outcome(asked, 10);
    };
    await using executor = oneWorker(reader);
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let firstTaken = (): void => undefined;
    const first = new Promise<void>((resolve) => (firstTaken = resolve));
    const listener: ChunkListener = {
      opened: silent,
      batch: () => {
        firstTaken();
        return gate;
      },
    };
    const reading = executor.read(request(1), listener, never);
    await first;
    await new Promise((resolve) => setImmediate(resolve));
    expect(read).toBeLessThanOrEqual(BATCH_CREDITS);
    open();
    expect((await reading).rows).toBe(10);
  });

  test("an error crosses with code, hint and place, and the worker goes on", async () => {
    const place = { table: "s.t" };
    const read: ChunkReader["read"] = async (asked) => {
      if (asked.grant.chunk === 1) throw new MillraceError("SCHEMA_CHANGED", "gone", { hint: "look", place });
      return outcome(asked, 0);
    };
    await using executor = oneWorker(read);
    await expect(executor.read(request(1), collecting(), never)).rejects.toMatchObject({
      code: "SCHEMA_CHANGED",
      message: "gone",
      hint: "look",
      place,
    });
    expect((await executor.read(request(2), collecting(), never)).grant.chunk).toBe(2);
  });

  test("an abort reaches the reader", async () => {
    const read: ChunkReader["read"] = (_asked, on, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new MillraceError("INTERNAL", "reading was aborted")));
        on.opened(null);
      });
    await using executor = oneWorker(read);
    const abort = new AbortController();
    const listener = { ...collecting(), opened: () => abort.abort() };
    await expect(executor.read(request(1), listener, abort.signal)).rejects.toThrow("reading was aborted");
  });

  test("a listener that fails ends the chunk with its own error", async () => {
    const read: ChunkReader["read"] = async (asked, on, signal) => {
      on.opened(null);
      for (let i = 0; i < 100 && !signal.aborted; i++) await on.batch(rows(i));
      return outcome(asked, 100);
    };
    await using executor = oneWorker(read);
    const failing: ChunkListener = {
      opened: silent,
      batch: () => Promise.reject(new MillraceError("INTERNAL", "full")),
    };
    await expect(executor.read(request(1), failing, never)).rejects.toThrow("full");
    await expect(executor.read(request(2), collecting(), never)).resolves.toBeDefined();
  });

  test.each([
    { readsMax: 2, threads: 2, started: 2, opened: 2 },
    { readsMax: 3, threads: 1, started: 1, opened: 3 },
    { readsMax: 1, threads: 2, started: 1, opened: 1 },
    { readsMax: 5, threads: 2, started: 2, opened: 5 },
  ])("reads $readsMax chunks at once with $threads threads", async ({ readsMax, threads, started, opened }) => {
    let reading = 0;
    let most = 0;
    const readers = { opened: 0, disposed: 0 };
    const read: ChunkReader["read"] = async (asked, on) => {
      most = Math.max(most, ++reading);
      on.opened(null);
      for (let i = 0; i < 3; i++) await on.batch(rows(asked.grant.chunk));
      reading--;
      return outcome(asked, 3);
    };
    let starts = 0;
    const start = (): WorkerHandle => {
      starts++;
      return served(read, new BufferPool(0), readers);
    };
    const executor = new ThreadExecutor({ threads, readsMax, ambient }, start);
    const listeners = Array.from({ length: 12 }, collecting);
    await Promise.all(listeners.map((listener, chunk) => executor.read(request(chunk), listener, never)));
    await executor[Symbol.asyncDispose]();
    expect(listeners.map(({ batches }) => batches.flatMap(valuesOf))).toEqual(
      Array.from({ length: 12 }, (_, chunk) => [chunk, chunk, chunk]),
    );
    expect({ most, starts, ...readers }).toEqual({ most: readsMax, starts: started, opened, disposed: opened });
  });

  test("a chunk that is given up leaves the one beside it in the same worker alone", async () => {
    let aborted = (): void => undefined;
    const gone = new Promise<void>((resolve) => (aborted = resolve));
    const read: ChunkReader["read"] = async (asked, on, signal) => {
      on.opened(null);
      if (asked.grant.chunk === 1)
        return await new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new MillraceError("INTERNAL", "reading was aborted")));
        });
      await gone;
      await on.batch(rows(7));
      return outcome(asked, 1);
    };
    await using executor = new ThreadExecutor({ threads: 1, readsMax: 2, ambient }, () => served(read));
    const abort = new AbortController();
    const [first, second] = [collecting(), collecting()];
    const given = executor.read(request(1), { ...first, opened: () => abort.abort() }, abort.signal);
    const kept = executor.read(request(2), second, never);
    await expect(given).rejects.toThrow("reading was aborted");
    aborted();
    expect((await kept).rows).toBe(1);
    expect(second.batches.flatMap(valuesOf)).toEqual([7]);
  });
});

describe("createLocalExecutor", () => {
  test("a thread that dies fails its chunk with an error to try again, and is replaced", async () => {
    const dies = `
      import { parentPort } from "node:worker_threads";
      parentPort.on("message", (message) => {
        if (message.kind === "close") process.exit(0);
        if (message.request.grant.chunk === 1) process.exit(1);
        const { grant, schema } = message.request;
        parentPort.postMessage({ kind: "outcome", chunk: message.chunk, outcome: { grant, schema, rows: 0, bytes: 0, rest: null } });
      });`;
    const workerUrl = new URL(`data:text/javascript,${encodeURIComponent(dies)}`);
    await using executor = createLocalExecutor({ workerUrl, workerData: null, threads: 1, readsMax: 1, ambient });
    await expect(executor.read(request(1), collecting(), never)).rejects.toMatchObject({
      code: "CHUNK_WORKER_LOST",
      retry: "timed",
    });
    expect((await executor.read(request(2), collecting(), never)).grant.chunk).toBe(2);
  });
});
