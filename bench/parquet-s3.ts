import { randomFillSync } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../src/observe/system-clock.ts";
import type { Committable } from "../src/stores/object-store.ts";
import { createStore } from "../src/stores/open-store.ts";
import { type PrivateS3, startPrivateS3 } from "../test/support/private-s3.ts";
import { secondsOf } from "./client-program.ts";
import { curlUploadSeconds } from "./curl-uploads.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";

const BUCKET = "bench";
const PART_BYTES = 8 << 20;
const PARTS_PER_FILE = 16;
const FILES = 8;
const PARALLEL = 4;
const MIB = FILES * PARTS_PER_FILE * (PART_BYTES >> 20);
/** About what a row group becomes: parts are filled by several of them. */
const PIECE_BYTES = 3_000_000;

export const parquetS3: Bench = {
  name: "parquet-s3",
  about:
    "1 GiB of staged files to an S3 server on this machine, completed, beside the same bytes by curl in the same parts, as many at a time",
  async run(runs, say) {
    const bytes = randomFillSync(new Uint8Array(PART_BYTES));
    await using server = await startPrivateS3();
    mkdirSync(join(server.dataFolder, BUCKET));
    let turn = 0;
    return await turns("parquet-s3", "MiB/s", runs, say, () => measure(server, bytes, `run-${turn++}`));
  },
};

async function measure(server: PrivateS3, bytes: Uint8Array, prefix: string): Promise<BenchRun> {
  const cpu = process.cpuUsage();
  const seconds = await secondsOf(() => stageAll(server, bytes, prefix));
  const { user, system } = process.cpuUsage(cpu);
  const uploads = { files: FILES, partsPerFile: PARTS_PER_FILE, part: bytes, parallel: PARALLEL };
  const limitSeconds = await curlUploadSeconds({ address: server, bucket: BUCKET, ...uploads });
  return {
    value: MIB / seconds,
    limit: MIB / limitSeconds,
    cpuSeconds: (user + system) / 1e6,
    rssBytesMax: process.resourceUsage().maxRSS * 1024,
  };
}

async function stageAll(server: PrivateS3, bytes: Uint8Array, prefix: string): Promise<void> {
  const { host, port, accessKeyId, secretAccessKey } = server;
  const { signal } = new AbortController();
  const location = {
    kind: "s3",
    bucket: BUCKET,
    prefix: `${prefix}/`,
    endpoint: `http://${host}:${port}`,
    region: null,
    pathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    partBytes: PART_BYTES,
    parallelUploads: PARALLEL,
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 60_000,
    attemptsMax: 8,
  } as const;
  await using store = createStore(location, systemClock);
  await store.open(signal);
  const committables: Promise<Committable>[] = [];
  for (let file = 0; file < FILES; file++) {
    const staged = store.stage(`file-${file}.parquet`, signal);
    let left = PARTS_PER_FILE * PART_BYTES;
    for (; left > 0; left -= PIECE_BYTES) await staged.write(bytes.slice(0, Math.min(left, PIECE_BYTES)));
    // As the sink does: the next file is begun while the last parts of this one are on their way.
    committables.push(staged.finish());
  }
  const staged = await Promise.all(committables);
  await Promise.all(staged.map((committable) => store.complete(committable, signal)));
}
