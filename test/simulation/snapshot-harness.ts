import type { Ambient } from "../../src/core/ambient.ts";
import type { ChunkOutcome, ChunkPlanner, ChunkRequest } from "../../src/core/chunk.ts";
import { itemBytes, type LineItem, type LogItem } from "../../src/core/line.ts";
import type { PipelineEvent } from "../../src/core/pipeline-event.ts";
import type { TablePart, TableState } from "../../src/core/record.ts";
import type { TableId, TableSchema } from "../../src/core/table-schema.ts";
import { MemoryChannel } from "../../src/flow/channel.ts";
import type { ChunkListener } from "../../src/snapshot/chunk-listener.ts";
import type { ChunkExecutor } from "../../src/snapshot/executor.ts";
import { Snapshot, type SnapshotSettings } from "../../src/snapshot/snapshot.ts";
import { merge } from "../../src/snapshot/stage.ts";
import { SimCut, SimPosition } from "./sim-log.ts";
import { keyedBatch, keyedSchema, PLAIN_SCHEMA, plainBatch } from "./sim-rows.ts";
import { testAmbient } from "../support/test-ambient.ts";

const ROOMY: SnapshotSettings = {
  lanes: 3,
  chunkRows: 10,
  chunkBytesMax: 1e6,
  waitingBytesMax: 1e7,
  windowBytesMax: 1e6,
  unsettledBytesMax: 1e6,
  heldBytesMax: 1e6,
};

/** Time passes only while somebody sleeps, and then at once. */
function impatientClock(): Ambient["clock"] {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        setImmediate(() => {
          nowMs += ms;
          if (signal.aborted) reject(signal.reason);
          else resolve();
        });
      }),
  };
}

export interface HarnessOptions {
  readonly schema?: TableSchema;
  readonly state?: TableState;
  /** Keys 0 … keys − 1 of the keyed table, or as many rows of the one without a key. */
  readonly keys: number;
  readonly settings?: Partial<SnapshotSettings>;
  /** Called before a chunk is read; may throw. */
  readonly beforeRead?: (request: ChunkRequest) => void;
  /** Called before the end of a chunk is planned. */
  readonly beforePlan?: () => void;
  /** The shape in which the table without a key is found, all its columns alike. */
  readonly readAs?: TableSchema;
  /** Chunks end behind this many rows. */
  readonly cap?: number;
}

/** The real snapshot, merge and stage over a table in memory and a log that the test writes. */
export class SnapshotHarness {
  readonly log: MemoryChannel<LogItem> = new MemoryChannel<LogItem>({ bytesMax: 1e9, sizeOf: itemBytes });
  readonly events: PipelineEvent[] = [];
  readonly requests: ChunkRequest[] = [];
  readonly delivered: LineItem[] = [];
  readonly snapshot: Snapshot;
  readonly #options: HarnessOptions;
  readonly #abort = new AbortController();
  /** The log's end: where cuts have their bound. */
  head = 0;
  sure: ReadonlySet<number> = new Set();
  nudges = 0;
  state: TableState;

  constructor(options: HarnessOptions) {
    this.#options = options;
    const schema = options.schema ?? keyedSchema(1);
    this.state = options.state ?? { kind: "planned" };
    const part: TablePart = { state: this.state, incarnation: 1, fingerprint: "", schema };
    this.snapshot = new Snapshot({
      tables: new Map([[schema.id, part]]),
      sizes: new Map(),
      unsettled: [],
      token: 7,
      source: {
        planner: this.#planner(),
        settled: async () => undefined,
        visible: async () => this.#cut(),
        parseCut: (json) => new SimCut(this.sure, new SimPosition(json as number)),
      },
      log: { ping: () => undefined, nudge: async () => void this.nudges++ },
      executor: this.#executor(),
      settings: { ...ROOMY, ...options.settings },
      spillFolder: "/nonexistent",
      ambient: testAmbient({ clock: impatientClock() }),
      events: (event) => this.events.push(event),
    });
  }

  #cut(): SimCut {
    return new SimCut(this.sure, new SimPosition(this.head));
  }

  #planner(): ChunkPlanner {
    const { keys } = this.#options;
    return {
      extent: async ({ id }) => ({
        table: id,
        rowsEstimate: keys,
        bytesPerRowEstimate: 10,
        max: keys === 0 ? null : [String(keys - 1)],
      }),
      next: async (_schema, gap, rows) => {
        this.#options.beforePlan?.();
        const last = Math.min(Number(gap.upper![0]), Number(gap.lower?.[0] ?? -1) + rows);
        return { lower: gap.lower, upper: [String(last)] };
      },
    };
  }

  #executor(): ChunkExecutor {
    return {
      start: () => undefined,
      read: async (request, listener, signal) => {
        this.requests.push(request);
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        this.#options.beforeRead?.(request);
        return request.schema.id === PLAIN_SCHEMA.id
          ? await this.#readPlain(request, listener)
          : await this.#readKeyed(request, listener);
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async #readKeyed(request: ChunkRequest, listener: ChunkListener): Promise<ChunkOutcome> {
    const { grant, schema, range } = request;
    listener.opened(this.head);
    const first = Number(range.lower?.[0] ?? -1) + 1;
    const last = Math.min(Number(range.upper![0]), first + (this.#options.cap ?? Infinity) - 1);
    const rows = Array.from({ length: last - first + 1 }, (_, i) => ({ key: first + i, v: 1, a: 1, b: "b" }));
    await listener.batch(keyedBatch(schema, rows, null, []));
    const rest = last === Number(range.upper![0]) ? null : { lower: [String(last)], upper: range.upper };
    return { grant, schema, rows: rows.length, bytes: rows.length * 10, rest };
  }

  async #readPlain({ grant, schema: planned }: ChunkRequest, listener: ChunkListener): Promise<ChunkOutcome> {
    listener.opened(this.head);
    const schema = this.#options.readAs ?? planned;
    for (let i = 0; i < this.#options.keys; i++) {
      const batch = plainBatch([i], null, []);
      await listener.batch({ ...batch, schema, columns: schema.columns.map(() => batch.columns[0]!) });
    }
    return { grant, schema, rows: this.#options.keys, bytes: 0, rest: null };
  }

  async progress(): Promise<void> {
    await this.log.push({ kind: "progress", position: new SimPosition(this.head), commitTimeMs: null });
  }

  /** Runs the line until `done` says so of an item, with a progress of the log whenever nothing else comes. */
  async until(done: (item: LineItem) => boolean, table: TableId = keyedSchema(1).id): Promise<void> {
    await this.progress();
    for await (const item of merge(this.log, this.snapshot, this.#abort.signal)) {
      this.delivered.push(item);
      if (item.kind === "chunk-entered") this.#entered(table, item.chunk);
      if (done(item)) return;
      if (item.kind === "progress") {
        await new Promise((resolve) => setImmediate(resolve));
        await this.progress();
      }
    }
  }

  #entered(table: TableId, chunk: number): void {
    const { progress, rows, complete } = this.snapshot.entered(table, chunk);
    this.state = complete ? { kind: "streaming", rows } : { kind: "snapshotting", progress };
  }

  async untilStreaming(table?: TableId): Promise<void> {
    await this.until(() => this.state.kind === "streaming", table);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error("the test has ended"));
    await this.snapshot[Symbol.asyncDispose]();
  }
}
