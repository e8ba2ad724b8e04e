// `npm run chaos -- mysql --minutes 30 --seed 1`: test/integration/chaos.test.ts for minutes instead of one short round.
// Without a server: each, one after the other. `--sink parquet`: into a log of changes, in place of a DuckDB file. Installs,
// fetches and builds what is missing first.
import { parseArgs } from "node:util";
import { ensureMysqlServers } from "./mysql-servers.mjs";
import { ensureRedisServers } from "./redis-servers.mjs";
import { ensureS3Server } from "./s3-server.mjs";
import { become, checkNode, ensureBuilt, ensureInstalled, ensureOldestPostgres } from "./setup.mjs";
import { orExit, say, StepError } from "./steps.mjs";

const SERVERS = ["postgres", "oldest-postgres", "mysql", "mariadb"];
const SINKS = ["duckdb", "parquet"];
const USAGE = `npm run chaos -- [${SERVERS.join("|")}]... [--sink ${SINKS.join("|")}] [--minutes 30] [--seed 1]`;

function asked() {
  try {
    const option = (value) => ({ type: "string", default: value });
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

orExit(() => {
  const { servers, minutes, seed, sink } = asked();
  checkNode();
  ensureInstalled();
  ensureOldestPostgres();
  ensureMysqlServers();
  ensureRedisServers();
  ensureS3Server();
  ensureBuilt();
  say(`chaos: ${servers.join(", ")} into ${sink}, ${minutes} minutes each, from seed ${seed}`);
  process.env.MILLRACE_CHAOS_SERVERS = servers.join(" ");
  process.env.MILLRACE_CHAOS_SINKS = sink;
  process.env.MILLRACE_CHAOS_MINUTES = String(minutes);
  process.env.MILLRACE_CHAOS_SEED = String(seed);
  // A round is not cut off in the middle: the last one begins before the minutes are over.
  const timeoutMs = (minutes + 30) * 60_000;
  become("node_modules/vitest/vitest.mjs", [
    "run",
    "test/integration/chaos.test.ts",
    "--project=integration",
    `--testTimeout=${timeoutMs}`,
    "--disableConsoleIntercept=true",
  ]);
});
