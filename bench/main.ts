import { parseArgs } from "node:util";
import { checkpoint } from "./checkpoint.ts";
import { duckdbApply } from "./duckdb-apply.ts";
import type { Bench } from "./measurement.ts";
import { mysqlFreshness } from "./mysql-freshness.ts";
import { mysqlMemory } from "./mysql-memory.ts";
import { mariadbSnapshot, mysqlSnapshot, mysqlSnapshotParallel, mysqlSnapshotParquet } from "./mysql-snapshot.ts";
import { mariadbStream, mysqlStream, mysqlStreamDuckdb, mysqlStreamZstd } from "./mysql-stream.ts";
import { parquetEncode } from "./parquet-encode.ts";
import { parquetMemory } from "./parquet-memory.ts";
import { parquetS3 } from "./parquet-s3.ts";
import { workers, workersThrottled } from "./workers.ts";
import { recovery, recoveryDuckdb, recoveryMariadb, recoveryMysql, recoveryParquet } from "./recovery.ts";
import {
  smallTables,
  smallTablesDuckdb,
  smallTablesMariadb,
  smallTablesMysql,
  smallTablesParquet,
} from "./small-tables.ts";
import { pgFreshness } from "./pg-freshness.ts";
import { pgMemory } from "./pg-memory.ts";
import {
  pgSnapshot,
  pgSnapshotDuckdb,
  pgSnapshotDuckdbLarge,
  pgSnapshotLarge,
  pgSnapshotParquet,
} from "./pg-snapshot.ts";
import { pgStream, pgStreamDuckdb, pgStreamParquet } from "./pg-stream.ts";

/** The last three measure in this process, and a child's peak memory is at least what its parent had as it was made. */
const BENCHES: readonly Bench[] = [
  pgSnapshot,
  pgSnapshotDuckdb,
  pgSnapshotLarge,
  pgSnapshotDuckdbLarge,
  pgStream,
  pgStreamDuckdb,
  pgSnapshotParquet,
  pgStreamParquet,
  pgFreshness,
  pgMemory,
  mysqlSnapshot,
  mysqlSnapshotParallel,
  mysqlSnapshotParquet,
  mariadbSnapshot,
  mysqlStream,
  mysqlStreamDuckdb,
  mariadbStream,
  mysqlStreamZstd,
  mysqlFreshness,
  mysqlMemory,
  parquetMemory,
  parquetS3,
  recovery,
  recoveryParquet,
  recoveryDuckdb,
  recoveryMysql,
  recoveryMariadb,
  workers,
  workersThrottled,
  smallTables,
  smallTablesDuckdb,
  smallTablesParquet,
  smallTablesMysql,
  smallTablesMariadb,
  checkpoint,
  parquetEncode,
  duckdbApply,
];
const RUNS_MIN = 3;

function usage(): string {
  const width = Math.max(...BENCHES.map(({ name }) => name.length));
  const lines = BENCHES.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`);
  return [
    "npm run bench -- NAME [--json] [--runs N]",
    "",
    ...lines,
    `  ${"all".padEnd(width)}  each of them in turn`,
  ].join("\n");
}

interface Request {
  readonly benches: readonly Bench[];
  readonly isJson: boolean;
  readonly runs: number;
}

/** Null where the arguments are not understood. */
function parse(args: readonly string[]): Request | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: "boolean" }, runs: { type: "string" } },
    });
    const [name] = positionals;
    const benches = BENCHES.filter((bench) => name === "all" || bench.name === name);
    const runs = Number(values.runs ?? RUNS_MIN);
    if (positionals.length !== 1 || benches.length === 0 || !Number.isInteger(runs) || runs < 1) return null;
    return { benches, isJson: values.json ?? false, runs };
  } catch {
    return null;
  }
}

async function runBench(bench: Bench, { isJson, runs }: Request): Promise<void> {
  process.stdout.write(`${bench.name}: ${bench.about}\n`);
  const result = await bench.run(runs, (line) => process.stdout.write(`  ${line}\n`));
  const ratio = result.ratio === null ? "" : `, ratio ${result.ratio.toFixed(3)}`;
  const limit = result.limit === null ? "" : ` of ${Math.round(result.limit).toLocaleString("en-US")}`;
  const latency = result.p99Ms === undefined ? "" : `, p50 ${result.p50Ms} ms, p99 ${result.p99Ms} ms`;
  process.stdout.write(
    `  median: ${Math.round(result.value).toLocaleString("en-US")}${limit} ${result.unit}${ratio}${latency}, ${(result.rssBytesMax / 1e6).toFixed(0)} MB at most\n`,
  );
  if (isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
}

const request = parse(process.argv.slice(2));
if (request === null) {
  process.stderr.write(`${usage()}\n`);
  process.exitCode = 2;
} else {
  try {
    for (const bench of request.benches) await runBench(bench, request);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
