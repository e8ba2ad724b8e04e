import { mkdirSync, readdirSync } from "node:fs";
import type { Ambient } from "../../src/core/ambient.ts";
import { BufferPool } from "../../src/core/buffer-pool.ts";
import type { ChangeBatch } from "../../src/core/change-batch.ts";
import type { ChunkOutcome, ChunkReader, ChunkRequest } from "../../src/core/chunk.ts";
import type { Json } from "../../src/core/json.ts";
import type { ChunkExecutor } from "../../src/snapshot/executor.ts";
import { createQueueExecutor } from "../../src/snapshot/bullmq/executor.ts";
import { type WorkerEvent, workChunks } from "../../src/snapshot/bullmq/worker.ts";
import { chunkQueueConnection, parseRedisUrl } from "../../src/pipeline/redis-url.ts";
import { Random } from "./random.ts";
import { randomBatch } from "./random-batch.ts";
import { type TempFolder, tempFolder } from "./temp-folder.ts";
import { testAmbient } from "./test-ambient.ts";

/** A worker of this process, whose reader does what a test says. */
export interface PartyWorker {
  readonly events: readonly WorkerEvent[];
  readonly warnings: readonly string[];
  /** Resolves when it has ended, behind its chunks. */
  stop(): Promise<void>;
}

interface WorkerChoices {
  /** False: it never says again that it lives, as one that stands still. */
  readonly renews?: boolean;
  /** A folder of another name is not the run's. */
  readonly staging?: string;
}

export type Read = ChunkReader["read"];

/** What a run has been given of a chunk, in order. */
export interface Taken {
  readonly steps: (Json | ChangeBatch)[];
  readonly outcome: Promise<ChunkOutcome>;
}

export const CUT: Json = { cut: "of a test" };
const LEASE_MS = 900;

/** Each with the same schema, as a chunk's are. */
export function batchesOf(seed: number, count: number): readonly ChangeBatch[] {
  return Array.from({ length: count }, () => randomBatch(new Random(seed), 20));
}

export function requestOf(chunk: number, batches: readonly ChangeBatch[], token = 7): ChunkRequest {
  return {
    grant: { chunk, attempt: 1, token },
    schema: { ...batches[0]!.schema, key: [0] },
    range: { lower: null, upper: ["9"] },
    rowsMax: 1000,
    bytesMax: 1 << 20,
  };
}

export function outcomeOf({ grant, schema }: ChunkRequest, batches: readonly ChangeBatch[]): ChunkOutcome {
  const rows = batches.reduce((sum, { length }) => sum + length, 0);
  return { grant, schema, rows, bytes: 1, rest: null };
}

/** Hands the batches over and is done. */
export function reading(batches: readonly ChangeBatch[], before: () => Promise<void> = async () => undefined): Read {
  return async (request, on) => {
    on.opened(CUT);
    for (const batch of batches) await on.batch(batch);
    await before();
    return outcomeOf(request, batches);
  };
}

/** A run and its workers, in one process, over one queue and one folder. */
export class ChunkParty implements AsyncDisposable {
  readonly pipeline: string = `party ${Math.random()}`;
  readonly waiting: (string | null)[] = [];
  readonly locallyRead: number[] = [];
  readonly #folder: TempFolder = tempFolder();
  readonly #connection: ReturnType<typeof chunkQueueConnection>;
  readonly #open: AsyncDisposable[] = [];
  readonly #gates: Gate[] = [];

  constructor(url: string) {
    this.#connection = chunkQueueConnection({ redis: parseRedisUrl(url)! });
    mkdirSync(this.staging);
  }

  get staging(): string {
    return this.#folder.file("staging");
  }

  /** The files of batches that lie there. */
  staged(): readonly string[] {
    return readdirSync(this.staging, { recursive: true, encoding: "utf8" }).filter((name) =>
      /-chunks\/\d+-\d+-/.test(name),
    );
  }

  executor(): ChunkExecutor {
    const local: ChunkExecutor = {
      start: () => undefined,
      read: async (request) => {
        this.locallyRead.push(request.grant.chunk);
        return outcomeOf(request, []);
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
    const executor = createQueueExecutor({
      pipeline: this.pipeline,
      connection: this.#connection,
      staging: { kind: "folder", path: this.staging },
      readsMax: 2,
      chunksMax: 2,
      local,
      waiting: (on) => void this.waiting.push(on),
      workerCommand: "millrace worker p.yaml",
      ambient: testAmbient(),
    });
    this.#open.push(executor);
    return executor;
  }

  worker(read: Read, { renews = true, staging = "staging" }: WorkerChoices = {}): PartyWorker {
    const events: WorkerEvent[] = [];
    const warnings: string[] = [];
    const ambient = testAmbient();
    const ended = new AbortController();
    const stop = new AbortController();
    const { clock } = ambient;
    const standing: Ambient["clock"] = {
      ...clock,
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: (ms, signal) => clock.sleep(ms === LEASE_MS / 3 ? 1e6 : ms, signal),
    };
    const logger = {
      ...ambient.logger,
      warn: (message: string, fields?: object) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
    };
    const work = workChunks(
      {
        pipeline: this.pipeline,
        connection: this.#connection,
        staging: { kind: "folder", path: this.#folder.file(staging) },
        name: `test-${this.#open.length}`,
        concurrency: 1,
        openReader: () => ({ read, [Symbol.asyncDispose]: async () => undefined }),
        pool: new BufferPool(1 << 20),
        leaseMs: LEASE_MS,
        events: (event) => void events.push(event),
        ambient: { ...ambient, logger, ...(renews ? {} : { clock: standing }) },
      },
      stop.signal,
    ).finally(() => ended.abort());
    const worker = {
      events,
      warnings,
      stop: async () => {
        stop.abort();
        await work;
      },
    };
    this.#open.push({ [Symbol.asyncDispose]: () => worker.stop() });
    return worker;
  }

  /** It is opened when the party ends: a worker waits for its chunks then. */
  gate(): Gate {
    const gate = new Gate();
    this.#gates.push(gate);
    return gate;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gate of this.#gates) gate.open();
    for (const one of this.#open.toReversed()) await one[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** Begins to read a chunk. */
export function taking(
  executor: ChunkExecutor,
  request: ChunkRequest,
  signal: AbortSignal = AbortSignal.timeout(30_000),
): Taken {
  const steps: (Json | ChangeBatch)[] = [];
  const outcome = executor.read(
    request,
    { opened: (cut) => void steps.push(cut), batch: async (batch) => void steps.push(batch) },
    signal,
  );
  outcome.catch(() => undefined);
  return { steps, outcome };
}

/** Closed until a test opens it. */
class Gate {
  #open: () => void = () => undefined;
  readonly #opened: Promise<void> = new Promise((resolve) => {
    this.#open = resolve;
  });
  /** Who has come to it. */
  arrived = 0;

  open(): void {
    this.#open();
  }

  async pass(): Promise<void> {
    this.arrived++;
    await this.#opened;
  }
}
