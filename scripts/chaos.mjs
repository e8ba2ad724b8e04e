// `npm run chaos -- mysql --minutes 30 --seed 1`: test/integration/chaos.test.ts for minutes instead of one short round.
// Without a server: each, one after the other. `--sink parquet`: into a log of changes, in place of a DuckDB file.
// `npm run chaos -- crash --runs 1000`: test/integration/crash.test.ts, that many kills on every pair of source, store and sink.
// `npm run chaos -- workers --rows 5000000`: the test of three workers in test/integration/workers.test.ts, on a table of that size.
// Installs, fetches and builds what is missing first.
import { parseArgs } from "node:util";
import { ensureMysqlServers } from "./mysql-servers.mjs";
import { ensureRedisServers } from "./redis-servers.mjs";
import { ensureS3Server } from "./s3-server.mjs";
import { become, checkNode, ensureBuilt, ensureInstalled, ensureOldestPostgres } from "./setup.mjs";
import { orExit, say, StepError } from "./steps.mjs";

const SERVERS = ["postgres", "oldest-postgres", "mysql", "mariadb"];
const SINKS = ["duckdb", "parquet"];
/** About as long as a kill and what it has of the rest takes on a slow machine. */
const KILL_MS_MAX = 30_000;
const USAGE = `npm run chaos -- crash [--runs 1000] [--pair "postgres, redis, parquet"] [--seed 1]
       npm run chaos -- workers [--rows 5000000]
       npm run chaos -- [${SERVERS.join("|")}]... [--sink ${SINKS.join("|")}] [--minutes 30] [--seed 1]`;

const option = (value) => ({ type: "string", default: value });

function askedCrash(args) {
  try {
    const options = { runs: option("1000"), seed: option("1"), pair: { type: "string" } };
    const { values } = parseArgs({ args, options });
    const [runs, seed] = [Number(values.runs), Number(values.seed)];
    if (!(Number.isInteger(runs) && runs > 0)) throw new Error("--runs takes a whole number above 0");
    if (!Number.isInteger(seed)) throw new Error("--seed takes a whole number");
    return { runs, seed, pair: values.pair };
  } catch (error) {
    throw new StepError(`${error.message}\nusage: ${USAGE}`, 2, { cause: error });
  }
}

function askedWorkers(args) {
  try {
    const { values } = parseArgs({ args, options: { rows: option("5000000") } });
    const rows = Number(values.rows);
    if (!(Number.isInteger(rows / 200) && rows > 0)) throw new Error("--rows takes a multiple of 200");
    return rows;
  } catch (error) {
    throw new StepError(`${error.message}\nusage: ${USAGE}`, 2, { cause: error });
  }
}

function asked() {
  try {
    const options = { minutes: option("30"), seed: option("1"), sink: option("duckdb") };
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const unknown = positionals.find((server) => !SERVERS.includes(server));
    if (unknown !== undefined) throw new Error(`${unknown} is no server`);
    const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
    if (!(minutes > 0 && minutes <= 24 * 60))
      throw new Error("--minutes takes a number above 0, and a day at the most");
    if (!Number.isInteger(seed)) throw new Error("--seed takes a whole number");
    if (!SINKS.includes(values.sink)) throw new Error(`${values.sink} is no sink`);
    return { servers: positionals.length > 0 ? positionals : SERVERS, minutes, seed, sink: values.sink };
  } catch (error) {
    throw new StepError(`${error.message}\nusage: ${USAGE}`, 2, { cause: error });
  }
}

function ensureServers() {
  checkNode();
  ensureInstalled();
  ensureOldestPostgres();
  ensureMysqlServers();
  ensureRedisServers();
  ensureS3Server();
  ensureBuilt();
}

function runTest(file, timeoutMs, ...more) {
  become("node_modules/vitest/vitest.mjs", [
    "run",
    file,
    "--project=integration",
    ...more,
    `--testTimeout=${Math.ceil(timeoutMs)}`,
    "--disableConsoleIntercept=true",
  ]);
}

function crash(args) {
  const { runs, seed, pair } = askedCrash(args);
  ensureServers();
  say(`crash: ${runs} kills, from seed ${seed}${pair === undefined ? "" : `, on ${pair}`}`);
  process.env.MILLRACE_CRASH_RUNS = String(runs);
  process.env.MILLRACE_CRASH_SEED = String(seed);
  if (pair !== undefined) process.env.MILLRACE_CRASH_PAIR = pair;
  runTest("test/integration/crash.test.ts", 600_000 + runs * KILL_MS_MAX);
}

function workers(args) {
  const rows = askedWorkers(args);
  ensureServers();
  say(`workers: a table of ${rows} rows`);
  process.env.MILLRACE_WORKERS_ROWS = String(rows);
  runTest("test/integration/workers.test.ts", 600_000 + rows, "--testNamePattern=of three workers");
}

function chaos() {
  const { servers, minutes, seed, sink } = asked();
  ensureServers();
  say(`chaos: ${servers.join(", ")} into ${sink}, ${minutes} minutes each, from seed ${seed}`);
  process.env.MILLRACE_CHAOS_SERVERS = servers.join(" ");
  process.env.MILLRACE_CHAOS_SINKS = sink;
  process.env.MILLRACE_CHAOS_MINUTES = String(minutes);
  process.env.MILLRACE_CHAOS_SEED = String(seed);
  // A round is not cut off in the middle: the last one begins before the minutes are over.
  runTest("test/integration/chaos.test.ts", (minutes + 30) * 60_000);
}

orExit(() => {
  const [first, ...rest] = process.argv.slice(2);
  if (first === "crash") crash(rest);
  else if (first === "workers") workers(rest);
  else chaos();
});
