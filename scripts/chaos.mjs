// `npm run chaos -- mysql --minutes 30 --seed 1`: test/integration/chaos.test.ts for minutes instead of one short round.
// Without a server: each, one after the other. Installs, fetches and builds what is missing first.
import { parseArgs } from "node:util";
import { ensureMysqlServers } from "./mysql-servers.mjs";
import { become, checkNode, ensureBuilt, ensureInstalled, ensureOldestPostgres } from "./setup.mjs";
import { orExit, say, StepError } from "./steps.mjs";

const SERVERS = ["postgres", "oldest-postgres", "mysql", "mariadb"];
const USAGE = `npm run chaos -- [${SERVERS.join("|")}]... [--minutes 30] [--seed 1]`;

function asked() {
  try {
    const options = { minutes: { type: "string", default: "30" }, seed: { type: "string", default: "1" } };
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const unknown = positionals.find((server) => !SERVERS.includes(server));
    if (unknown !== undefined) throw new Error(`${unknown} is no server`);
    const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
    if (!(minutes > 0 && minutes <= 24 * 60))
      throw new Error("--minutes takes a number above 0, and a day at the most");
    if (!Number.isInteger(seed)) throw new Error("--seed takes a whole number");
    return { servers: positionals.length > 0 ? positionals : SERVERS, minutes, seed };
  } catch (error) {
    throw new StepError(`${error.message}\nusage: ${USAGE}`, 2, { cause: error });
  }
}

orExit(() => {
  const { servers, minutes, seed } = asked();
  checkNode();
  ensureInstalled();
  ensureOldestPostgres();
  ensureMysqlServers();
  ensureBuilt();
  say(`chaos: ${servers.join(", ")}, ${minutes} minutes each, from seed ${seed}`);
  process.env.MILLRACE_CHAOS_SERVERS = servers.join(" ");
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
