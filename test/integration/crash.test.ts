import { expect, test } from "vitest";
import { CRASH_PAIRS, type CrashPair, type CrashReport, crashRound } from "../support/crash.ts";
import { crashTables, killCount, pairName, sumReports } from "../support/crash-table.ts";

/** `npm run chaos -- crash` says through the environment that it wants more. */
const RUNS = Number(process.env["MILLRACE_CRASH_RUNS"] ?? 0);
const SEED = Number(process.env["MILLRACE_CRASH_SEED"] ?? 1);
const ONLY = process.env["MILLRACE_CRASH_PAIR"];
/** Of one pipeline, before it is compared with its source. */
const KILLS = RUNS > 0 ? 14 : 3;
/** Briefly: each source, each store and each sink once. */
const BRIEF = ["postgres, redis, parquet", "mysql, redis, duckdb", "mariadb, file, parquet"];
const PAIRS = CRASH_PAIRS.filter((pair) =>
  RUNS > 0 ? ONLY === undefined || pairName(pair) === ONLY : BRIEF.includes(pairName(pair)),
);

/** Of each pair the rounds of one seed after the other, so that any of them can be had again by its pair and seed. */
async function crashed(runs: number): Promise<ReadonlyMap<CrashPair, CrashReport>> {
  const reports = new Map<CrashPair, CrashReport>();
  let left = runs;
  for (let seed = SEED; left > 0; seed++)
    for (const pair of PAIRS) {
      if (left <= 0) break;
      const kills = Math.min(left, KILLS);
      const again = `npm run chaos -- crash --pair "${pairName(pair)}" --seed ${seed} --runs ${kills}`;
      console.log(`crash: ${pairName(pair)}, seed ${seed}, ${runs - left} of ${runs} runs`);
      const report = await crashRound(pair, { seed, kills }).catch((error: unknown) => {
        throw new Error(again, { cause: error });
      });
      const { told } = report.faults;
      if (told.length > 0) console.log(`crash: FAILED, again by: ${again}\n${told.join("\n")}`);
      const before = reports.get(pair);
      reports.set(pair, before === undefined ? report : sumReports(before, report));
      left -= killCount(report);
    }
  return reports;
}

test("runs that are killed anywhere lose nothing, deliver nothing twice and nothing out of order", async () => {
  expect(PAIRS.length, `MILLRACE_CRASH_PAIR ${ONLY ?? ""}`).toBeGreaterThan(0);
  const reports = await crashed(RUNS > 0 ? RUNS : PAIRS.length * KILLS);
  console.log(`\n${crashTables(reports)}`);
  const told = [...reports.values()].flatMap(({ faults }) => faults.told);
  expect(told).toEqual([]);
  for (const { faults } of reports.values()) expect(faults).toMatchObject({ lost: 0, duplicated: 0, reordered: 0 });
});
