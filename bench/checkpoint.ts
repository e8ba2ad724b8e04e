import { Redis } from "ioredis";
import { createRedisStore } from "../src/checkpoint/redis/store.ts";
import { createFileStore } from "../src/checkpoint/file/store.ts";
import type { CheckpointStore } from "../src/core/checkpoint-store.ts";
import type { Json } from "../src/core/json.ts";
import type { EpochRecord } from "../src/core/record.ts";
import { type PrivateRedis, startPrivateRedis } from "../test/support/private-redis.ts";
import { tempFolder } from "../test/support/temp-folder.ts";
import { testAmbient } from "../test/support/test-ambient.ts";
import { secondsOf } from "./client-program.ts";
import { type Bench, type BenchRun, percentile, turns } from "./measurement.ts";

const PIPELINE = "bench";
const TABLES = 10_000;
/** In a snapshot, of 100 chunks each, so 1,000,000 in all: ranges that are done and touch each other are one. */
const RANGES = 4;
const EPOCHS = 1_000;
/** Whose chunks an epoch brings. */
const TABLES_PER_EPOCH = 10;

export const checkpoint: Bench = {
  name: "checkpoint",
  about: `an epoch's write to Redis on this machine, in a state of ${TABLES} tables and 1,000,000 finished chunks: the 99th percentile, beside an HSET of the same parts`,
  async run(runs, say) {
    await using server = await startPrivateRedis({
      kind: "redis8",
      config: { appendonly: "yes", appendfsync: "everysec" },
    });
    return await turns("checkpoint", "ms", runs, say, () => measure(server));
  },
};

function tablePart(table: number, chunks: number): Json {
  const bound = (n: number): Json => [String(table), String(n * 10_000)];
  const done = Array.from({ length: RANGES }, (_, i) => ({
    lower: i === 0 ? null : bound(i * 25),
    upper: bound(i * 25 + 20 + (chunks % 5)),
  }));
  const columns = Array.from({ length: 10 }, (_, i) => ({
    name: `column_${i}`,
    type: { kind: "decimal", precision: 18, scale: 2 },
    nullable: i > 0,
    sourceType: "numeric(18,2)",
    collation: null,
    existingRowsDefault: null,
  }));
  const schema = { id: `shop.t${table}`, namespace: "shop", name: `t${table}`, version: 1, columns, key: [0] };
  const state = { kind: "snapshotting", progress: { max: bound(100), done, rows: chunks * 10_000 } };
  return { state, incarnation: 1, fingerprint: "1:0123456789abcdef:0123456789abcdef:0123456789abcdef", schema };
}

function record(epoch: number, tables: readonly number[]): EpochRecord {
  const parts = new Map<string, Json>([
    ["position", { position: `0/${(epoch * 4096).toString(16)}`, unsettled: [] }],
    [`history/${epoch % 64}`, { epoch, atMs: 1_800_000_000_000 + epoch, rows: 100_000, position: `0/${epoch}` }],
    ...tables.map((table) => [`table/shop.t${table}`, tablePart(table, epoch)] as const),
  ]);
  return { pipeline: PIPELINE, epoch, token: 1, parts };
}

function changed(epoch: number): readonly number[] {
  return Array.from({ length: TABLES_PER_EPOCH }, (_, i) => (epoch * TABLES_PER_EPOCH + i) % TABLES);
}

async function measure(server: PrivateRedis): Promise<BenchRun> {
  await server.command("FLUSHALL");
  await using folder = tempFolder();
  const options = {
    topology: { kind: "server" },
    nodes: [{ host: server.host, port: server.port }],
    tls: false,
    database: 0,
    username: null,
    password: null,
  } as const;
  const files = (): CheckpointStore => createFileStore(folder.path, PIPELINE, testAmbient());
  const redis = (): CheckpointStore => createRedisStore(options, PIPELINE, testAmbient());
  const cpu = process.cpuUsage();
  const bytesBefore = await inputBytes(server);
  const written = await putEpochs(redis());
  const bytesPerEpoch = Math.round(((await inputBytes(server)) - bytesBefore - written.firstBytes) / EPOCHS);
  const { user, system } = process.cpuUsage(cpu);
  const hset = await plainWrites(server);
  const inFiles = await putEpochs(files());
  const details = {
    p50Ms: round(percentile(written.ms, 0.5)),
    bytesPerEpoch,
    stateBytes: written.firstBytes,
    openAndClaimMs: round(1000 * (await secondsOf(() => openAndClaim(redis())))),
    filesP99Ms: round(percentile(inFiles.ms, 0.99)),
    filesOpenAndClaimMs: round(1000 * (await secondsOf(() => openAndClaim(files())))),
  };
  return {
    value: percentile(written.ms, 0.99),
    limit: percentile(hset, 0.99),
    cpuSeconds: (user + system) / 1e6,
    rssBytesMax: process.resourceUsage().maxRSS * 1024,
    details,
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

async function inputBytes(server: PrivateRedis): Promise<number> {
  return Number(/total_net_input_bytes:(\d+)/.exec(await server.command("INFO", "stats"))?.[1]);
}

/** The whole state in the first epoch, then small ones. */
async function putEpochs(
  store: CheckpointStore,
): Promise<{ readonly ms: readonly number[]; readonly firstBytes: number }> {
  await using open = store;
  await open.open({ signal: new AbortController().signal });
  const first = record(
    1,
    Array.from({ length: TABLES }, (_, i) => i),
  );
  await open.put(first);
  const ms: number[] = [];
  for (let epoch = 2; epoch < 2 + EPOCHS; epoch++) {
    const next = record(epoch, changed(epoch));
    const begin = performance.now();
    await open.put(next);
    ms.push(performance.now() - begin);
    await open.confirm(epoch);
  }
  return { ms, firstBytes: JSON.stringify([...first.parts]).length };
}

/** What a run does with it before anything else. */
async function openAndClaim(store: CheckpointStore): Promise<void> {
  await using open = store;
  const stored = await open.open({ signal: new AbortController().signal });
  if (stored === null) throw new Error("the store is empty");
  await open.reset({ ...stored.newest, token: stored.newest.token + 1 });
}

async function plainWrites(server: PrivateRedis): Promise<readonly number[]> {
  const client = new Redis({ host: server.host, port: server.port });
  const ms: number[] = [];
  for (let epoch = 2; epoch < 2 + EPOCHS; epoch++) {
    const { parts } = record(epoch, changed(epoch));
    const begin = performance.now();
    await client.hset("plain", ...[...parts].flatMap(([key, value]) => [key, JSON.stringify(value)]));
    ms.push(performance.now() - begin);
  }
  client.disconnect();
  return ms;
}
