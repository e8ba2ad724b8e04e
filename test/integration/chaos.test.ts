import { expect, test } from "vitest";
import { type ChaosSink, chaosRound } from "../support/chaos.ts";
import { SERVERS, type ServerName } from "../support/test-server.ts";

/** `npm run chaos` says through the environment that it wants more. */
const MINUTES = Number(process.env["MILLRACE_CHAOS_MINUTES"] ?? 0);
const SEED = Number(process.env["MILLRACE_CHAOS_SEED"] ?? 1);
/** The oldest PostgreSQL has a snapshot under load in npm test, and is asked for by name here. */
const ASKED = process.env["MILLRACE_CHAOS_SERVERS"]?.split(" ") ?? ["postgres", "mysql", "mariadb"];
const SINKS = (process.env["MILLRACE_CHAOS_SINKS"]?.split(" ") ?? ["duckdb", "parquet"]) as readonly ChaosSink[];
/** Briefly, each server into one sink, and one server into both. */
const BRIEF = ["duckdb postgres", "duckdb mysql", "duckdb mariadb", "parquet postgres"];
const CASES = SINKS.flatMap((sink) => ASKED.map((server) => ({ sink, server }))).filter(
  ({ sink, server }) => MINUTES > 0 || BRIEF.includes(`${sink} ${server}`),
);
const SIZE = MINUTES > 0 ? { kills: 20 } : { kills: 2, statementsPerSecond: 1_000 };

test.each(CASES)(
  "kills, cut and slow connections, TRUNCATE and added columns under load lose nothing ($server into $sink)",
  async ({ server, sink }) => {
    expect(SERVERS).toContain(server);
    const end = performance.now() + MINUTES * 60_000;
    let seed = SEED;
    do {
      console.log(`chaos on ${server} into ${sink}, seed ${seed}`);
      const { differences, told } = await chaosRound(server as ServerName, { seed, sink, ...SIZE });
      expect(differences, `seed ${seed}`).toEqual([]);
      console.log(`chaos on ${server} into ${sink}, seed ${seed}: equal after ${told}`);
      seed += 1;
    } while (performance.now() < end);
  },
);
