import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { columnOf, randomSample, type Sample } from "../../../test/support/parquet-cells.ts";
import { ENCODE_OPTIONS, encoderWork, fileOf, parquetFile } from "../../../test/support/parquet-file.ts";
import { hyparquetColumns } from "../../../test/support/parquet-readers.ts";
import { projectRoot } from "../../../test/support/project-root.ts";
import { Random } from "../../../test/support/random.ts";
import type { FileSchema } from "../file-schema.ts";
import { EncoderClient } from "./encoder-client.ts";
import { ParquetEncoders } from "./encoders.ts";
import type { ColumnEncoding } from "./column-encoding.ts";
import type { EncoderWork } from "./encoding.ts";
import { RowGroupStreams } from "./row-group-streams.ts";

/** `npm run build` makes it. */
const WORKER = pathToFileURL(join(projectRoot, "dist", "bin", "parquet-worker.js"));
const never = new AbortController().signal;
const SCHEMA: FileSchema = [
  { name: "id", fieldId: 1, type: { kind: "int", bits: 64 }, required: true },
  { name: "note", fieldId: 2, type: { kind: "text" }, required: false },
];
const OPTIONS = ENCODE_OPTIONS;

function workerOf(program: string): URL {
  return new URL(
    `data:text/javascript,${encodeURIComponent(`import { parentPort, threadId } from "node:worker_threads";${program}`)}`,
  );
}

function sample(rows: number, seed: number): Sample {
  return randomSample(SCHEMA, [rows], new Random(seed));
}

function bytesOf({ schema, sets }: Sample): number {
  return new RowGroupStreams({ schema, sets, options: OPTIONS }).bytes;
}

describe("ParquetEncoders", () => {
  it("give the caller its buffers back once a row group is taken, and encode it in threads", async () => {
    await using encoders = new ParquetEncoders({ workerUrl: WORKER, threads: 2, bytesMax: 1 << 30 });
    const samples = Array.from({ length: 8 }, (_, i) => sample(500, i));
    const taken = [];
    for (const { sets } of samples) {
      taken.push(await encoders.encode({ schema: SCHEMA, sets, options: OPTIONS }, never));
      for (const { columns } of sets)
        for (const cells of columns) if (cells !== null && "values" in cells) cells.values.fill(0xee);
    }
    for (const [i, { encoded }] of taken.entries()) {
      const file = new Uint8Array(fileOf(SCHEMA, [await encoded])).buffer;
      const { columns } = samples[i]!;
      expect(await hyparquetColumns(SCHEMA, file, columns)).toEqual(columns);
    }
    expect(encoders.bytes).toBe(0);
  });

  it("give the same bytes as this thread would, whatever was in the memory that they use again", async () => {
    await using encoders = new ParquetEncoders({ workerUrl: WORKER, threads: 1, bytesMax: 1 << 24 });
    for (const rows of [5000, 4000, 4500]) {
      const { sets } = sample(rows, rows);
      const { encoded } = await encoders.encode({ schema: SCHEMA, sets, options: OPTIONS }, never);
      expect(fileOf(SCHEMA, [await encoded]).equals(parquetFile(SCHEMA, [sets]))).toBe(true);
    }
  });

  it("wait where as many bytes are under way as may be, and serve in order", async () => {
    const samples = [100, 100, 2000, 100, 100].map(sample);
    const bytesMax = 2 * Math.max(...[0, 1, 3, 4].map((i) => bytesOf(samples[i]!)));
    await using encoders = new ParquetEncoders({ workerUrl: WORKER, threads: 2, bytesMax });
    const order: number[] = [];
    const most: number[] = [];
    const asked = samples.map(async ({ sets }, i) => {
      const { encoded } = await encoders.encode({ schema: SCHEMA, sets, options: OPTIONS }, never);
      order.push(i);
      most.push(encoders.bytes);
      return await encoded;
    });
    const rowGroups = await Promise.all(asked);
    expect(rowGroups.map(({ rows }) => rows)).toEqual([100, 100, 2000, 100, 100]);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    // The large one went alone.
    expect(most[2]).toBe(bytesOf(samples[2]!));
    expect(most.filter((bytes) => bytes > bytesMax)).toHaveLength(1);
  });

  it("let go whoever is aborted, waiting or taken, and go on with the others", async () => {
    const [first, second, third] = [sample(3000, 1), sample(3000, 2), sample(10, 3)];
    await using encoders = new ParquetEncoders({ workerUrl: WORKER, threads: 1, bytesMax: bytesOf(first) });
    const [taken, waiting] = [new AbortController(), new AbortController()];
    const { encoded } = await encoders.encode({ schema: SCHEMA, sets: first.sets, options: OPTIONS }, taken.signal);
    const refused = encoders.encode({ schema: SCHEMA, sets: second.sets, options: OPTIONS }, waiting.signal);
    const last = encoders.encode({ schema: SCHEMA, sets: third.sets, options: OPTIONS }, never);
    taken.abort(new Error("the epoch was given up"));
    waiting.abort(new Error("this one too"));
    await expect(encoded).rejects.toThrow("the epoch was given up");
    await expect(refused).rejects.toThrow("this one too");
    expect((await (await last).encoded).rows).toBe(10);
    expect(encoders.bytes).toBe(0);
  });

  it("say what the encoder refuses, and go on with the same thread", async () => {
    await using encoders = new ParquetEncoders({ workerUrl: WORKER, threads: 1, bytesMax: 1 << 20 });
    const schema: FileSchema = [{ name: "t", fieldId: 1, type: { kind: "text" }, required: true }];
    const bytes = { ...columnOf({ kind: "bytes" }, ["c328"]), type: { kind: "text" } as const };
    const bad = await encoders.encode({ schema, sets: [{ length: 1, columns: [bytes] }], options: OPTIONS }, never);
    await expect(bad.encoded).rejects.toMatchObject({
      code: "PARQUET_ENCODE_FAILED",
      message: expect.stringMatching(/UTF-?8/i),
    });
    const sets = [{ length: 1, columns: [columnOf({ kind: "text" }, ["good"])] }];
    const good = await encoders.encode({ schema, sets, options: OPTIONS }, never);
    expect((await good.encoded).rows).toBe(1);
  });

  it("refuse a null where none may be before anything is encoded", async () => {
    await using encoders = new ParquetEncoders({ workerUrl: WORKER, threads: 1, bytesMax: 1 << 20 });
    const sets = [{ length: 1, columns: [null, null] }];
    await expect(encoders.encode({ schema: SCHEMA, sets, options: OPTIONS }, never)).rejects.toThrow(
      "cells of column id are null",
    );
  });

  it("reject what a dead worker had, and start another for what comes next", async () => {
    const workerUrl = workerOf(`parentPort.on("message", () => process.exit(3));`);
    await using encoders = new ParquetEncoders({ workerUrl, threads: 1, bytesMax: 1 << 20 });
    for (const seed of [1, 2]) {
      const { sets } = sample(10, seed);
      const { encoded } = await encoders.encode({ schema: SCHEMA, sets, options: OPTIONS }, never);
      await expect(encoded).rejects.toMatchObject({ code: "PARQUET_WORKER_LOST" });
    }
    expect(encoders.bytes).toBe(0);
  });

  it("ask a worker nothing more that says it is worn", async () => {
    const workerUrl = workerOf(`parentPort.on("message", ({ ask }) => parentPort.postMessage({
      kind: "failed", ask, isWorn: true, buffer: new ArrayBuffer(0), error: { code: "INTERNAL", message: "thread " + threadId, hint: "", place: {} } }));`);
    await using encoders = new ParquetEncoders({ workerUrl, threads: 1, bytesMax: 1 << 20 });
    const threads = new Set<string>();
    for (const seed of [1, 2, 3]) {
      const { sets } = sample(10, seed);
      const { encoded } = await encoders.encode({ schema: SCHEMA, sets, options: OPTIONS }, never);
      threads.add(await encoded.then(String, String));
    }
    expect(threads.size).toBe(3);
  });

  it("end with the work at hand", async () => {
    const encoders = new ParquetEncoders({ workerUrl: WORKER, threads: 1, bytesMax: 1 });
    const { sets } = sample(3000, 1);
    const { encoded } = await encoders.encode({ schema: SCHEMA, sets, options: OPTIONS }, never);
    const waiting = encoders.encode({ schema: SCHEMA, sets, options: OPTIONS }, never);
    const refused = expect(waiting).rejects.toThrow("the encoders are closed");
    await encoders[Symbol.asyncDispose]();
    await refused;
    await expect(encoded).rejects.toMatchObject({ code: "PARQUET_WORKER_LOST" });
  });
});

describe("a worker", () => {
  it("says that it is worn where the encoder broke, and gives up what it was asked meanwhile", async () => {
    const schema: FileSchema = [{ name: "b", fieldId: 1, type: { kind: "bool" }, required: true }];
    const sets = [{ length: 1, columns: [columnOf({ kind: "bool" }, ["true"])] }];
    const work = (encoding: ColumnEncoding): EncoderWork => {
      const plain = encoderWork({ schema, sets, options: OPTIONS });
      return { ...plain, leaves: plain.leaves.map((leaf) => ({ ...leaf, encoding })) };
    };
    const thread = new Worker(WORKER);
    const exited = once(thread, "exit");
    const client = new EncoderClient(thread, () => undefined);
    expect((await client.encode(work("plain"))).rows).toBe(1);
    expect(client.takesMore).toBe(true);
    // The encoder panics over differences of booleans.
    const broken = expect(client.encode(work("delta"))).rejects.toMatchObject({ code: "PARQUET_ENCODE_FAILED" });
    await expect(client.encode(work("plain"))).rejects.toMatchObject({ code: "PARQUET_WORKER_LOST" });
    await broken;
    expect(client.takesMore).toBe(false);
    await exited;
  });

  it("encodes a cell of 64 MB, and is worn then", async () => {
    const schema: FileSchema = [{ name: "b", fieldId: 1, type: { kind: "bytes" }, required: true }];
    const values = new Uint8Array(64 << 20).map((_, i) => (i * 7919) >> 5);
    const column = { ...columnOf({ kind: "bytes" }, [""]), values, offsets: Int32Array.of(0, values.length) };
    const thread = new Worker(WORKER);
    const client = new EncoderClient(thread, () => undefined);
    const sets = [{ length: 1, columns: [column] }];
    const rowGroup = await client.encode(encoderWork({ schema, sets, options: { ...OPTIONS, compression: "none" } }));
    expect(rowGroup.bytes.length).toBeGreaterThan(64 << 20);
    expect(Buffer.from(rowGroup.bytes.subarray(-values.length)).equals(values)).toBe(true);
    // Its bounds are cut off.
    expect(rowGroup.chunks[0]!.statistics!.max!.length).toBeLessThan(100);
    expect(client.takesMore).toBe(false);
  });
});
