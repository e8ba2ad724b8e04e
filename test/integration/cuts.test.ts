import { describe, expect, test } from "vitest";
import { raceCuts } from "../support/cut-race.ts";
import { createMysqlDatabaseAt, startPrivateMysql } from "../support/mysql.ts";
import { createDatabaseAt, startPrivatePostgres } from "../support/postgres.ts";

/** `MILLRACE_CUTS=5000 npx vitest run test/integration/cuts.test.ts` reads more of them. */
const CUTS = Number(process.env["MILLRACE_CUTS"] ?? 500);
const WRITERS = 16;
/** Without GTIDs each waits a third of a second for what is visible. */
const SLOW_CUTS = Math.ceil(CUTS / 10);

/**
 * As the servers are set up by themselves, where those of the other tests do not wait for the disk: what a commit waits for
 * decides how long it is in the log and not yet visible.
 */
const DURABLE = {
  postgres: { fsync: "on" },
  mysql: {
    sync_binlog: "1",
    innodb_flush_log_at_trx_commit: "1",
    innodb_doublewrite: "ON",
    innodb_flush_method: "O_DIRECT",
  },
  mariadb: { innodb_flush_log_at_trx_commit: "1", innodb_doublewrite: "ON", debug_no_sync: "OFF" },
} as const;

describe(`each of ${CUTS} cuts under ${WRITERS} writers says what its chunk contains, at the first try`, () => {
  test("PostgreSQL", async () => {
    await using server = await startPrivatePostgres({ settings: DURABLE.postgres });
    await using db = await createDatabaseAt(server);
    expectRight(await raceCuts(db, { cuts: CUTS, writers: WRITERS }));
  });

  test.each(["mysql", "mariadb"] as const)("%s", async (flavour) => {
    await using server = await startPrivateMysql({ flavour, settings: DURABLE[flavour] });
    await using db = await createMysqlDatabaseAt(server);
    expectRight(await raceCuts(db, { cuts: CUTS, writers: WRITERS }));
  });

  test("MySQL without GTIDs, with what is known to be visible", async () => {
    const settings = {
      ...DURABLE.mysql,
      gtid_mode: "OFF",
      enforce_gtid_consistency: "OFF",
      max_binlog_size: "1048576",
    };
    await using server = await startPrivateMysql({ flavour: "mysql", settings });
    await using db = await createMysqlDatabaseAt(server);
    const race = await raceCuts(db, { cuts: SLOW_CUTS, writers: WRITERS, settled: true });
    expectRight(race);
    const longest = race.settledMs.toSorted((a, b) => a - b);
    console.log(
      `visible after ${longest[SLOW_CUTS >> 1]!.toFixed()} ms at the median, ${longest.at(-1)!.toFixed()} ms at most`,
    );
    // That is the time that it takes without PROCESS.
    expect(longest.at(-1)).toBeLessThan(30_000);
  });
});

function expectRight({ faults, transactions, overtaken, delivered }: Awaited<ReturnType<typeof raceCuts>>): void {
  expect(faults.slice(0, 20)).toEqual([]);
  console.log(`${transactions} transactions; ${overtaken} chunks overtaken by the log, in ${delivered} rows`);
  // Else nothing was raced.
  expect(transactions).toBeGreaterThan(CUTS);
  expect(overtaken).toBeGreaterThan(0);
}
