import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { type PrivateRedis, startPrivateRedis } from "../test/support/private-redis.ts";
import { startProxy } from "../test/support/proxy.ts";
import { within } from "../test/support/wait-for.ts";
import { BenchPipeline, type BenchSource, type PipelineOptions } from "./bench-pipeline.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";
import {
  forgetSource,
  moreOrders,
  ORDERS_ROWS,
  postgresSource,
  runPostgresFile,
  startBenchPostgres,
} from "./postgres-server.ts";

const PROGRAM = join(import.meta.dirname, "..", "bin", "millrace.js");
const TABLE = "orders";
/** So many that the start of two more processes is not what is measured. */
const ROWS = 8_000_000;
const THROTTLED_ROWS = ORDERS_ROWS;
const THROTTLED_WORKERS = 8;
/** Of each connection: so slow that neither the server nor this machine is what a worker waits for. */
const BYTES_PER_SECOND = 4_000_000;
const STARTED_MS = 60_000;

/** A process that reads chunks until it is ended. */
class Worker implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it waits for chunks. */
  static async start(pipeline: BenchPipeline, concurrency: number): Promise<Worker> {
    const args = [PROGRAM, "worker", pipeline.file, "--concurrency", String(concurrency)];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...pipeline.env },
    });
    const ready = new Promise<void>((resolve, reject) => {
      let said = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (said.includes("waiting for chunks")) resolve();
      });
      child.once("close", () => reject(new Error(`the worker ended: ${said}`)));
    });
    await within("the worker to begin", ready, STARTED_MS);
    return new Worker(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "close");
  }
}

/** Rows per second of a snapshot of which so many chunks are read at a time; `workers` are 0 where the run reads it itself. */
async function snapshot(
  server: PrivatePostgres,
  source: BenchSource,
  redis: PrivateRedis,
  workers: number,
  parallelism: number,
  rows: number,
): Promise<{ readonly rowsPerSecond: number; readonly cpuSeconds: number; readonly rssBytesMax: number }> {
  const options: PipelineOptions = { tables: [TABLE], sink: "discard", parallelism, checkpointStore: redis.url };
  using pipeline = new BenchPipeline(source, { ...options, byWorkers: workers > 0 });
  const started: Worker[] = [];
  try {
    while (started.length < workers) started.push(await Worker.start(pipeline, parallelism / workers));
    const { report } = await pipeline.deliver(rows);
    const { seconds, cpuSeconds, rssBytesMax } = report;
    return { rowsPerSecond: rows / seconds, cpuSeconds, rssBytesMax };
  } finally {
    for (const worker of started) await worker[Symbol.asyncDispose]();
    await forgetSource(server);
    await redis.command("FLUSHALL");
  }
}

export const workers: Bench = {
  name: "workers",
  about: `${ROWS.toLocaleString("en-US")} rows read by two worker processes over a queue, beside the threads of the run, to a sink that discards`,
  async run(runs, say) {
    await using server = await startBenchPostgres();
    await using redis = await startPrivateRedis({ kind: "redis8" });
    await runPostgresFile(server, "pg-orders.sql");
    await moreOrders(server, ROWS);
    const source = postgresSource(server);
    return await turns("workers", "rows/s", runs, say, async (): Promise<BenchRun> => {
      const { rowsPerSecond, ...used } = await snapshot(server, source, redis, 2, 4, ROWS);
      const local = await snapshot(server, source, redis, 0, 4, ROWS);
      return { value: rowsPerSecond, limit: local.rowsPerSecond, ...used };
    });
  },
};

export const workersThrottled: Bench = {
  name: "workers-throttled",
  about: `${THROTTLED_ROWS.toLocaleString("en-US")} rows read by ${THROTTLED_WORKERS} workers with a connection each, beside one, of a source that gives each connection ${BYTES_PER_SECOND / 1e6} MB/s: the ratio is how many times faster they are`,
  async run(runs, say) {
    await using server = await startBenchPostgres();
    await using redis = await startPrivateRedis({ kind: "redis8" });
    await runPostgresFile(server, "pg-orders.sql");
    await using proxy = await startProxy(server);
    proxy.throttle(BYTES_PER_SECOND);
    const source = { ...postgresSource(server), host: proxy.host, port: proxy.port };
    return await turns("workers-throttled", "rows/s", runs, say, async (): Promise<BenchRun> => {
      const { rowsPerSecond, ...used } = await snapshot(
        server,
        source,
        redis,
        THROTTLED_WORKERS,
        THROTTLED_WORKERS,
        THROTTLED_ROWS,
      );
      const one = await snapshot(server, source, redis, 1, 1, THROTTLED_ROWS);
      return { value: rowsPerSecond, limit: one.rowsPerSecond, ...used };
    });
  },
};
