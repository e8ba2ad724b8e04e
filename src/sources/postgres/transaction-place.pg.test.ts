import { expect, it } from "vitest";
import { LogFixture } from "../../../test/support/postgres-log.ts";
import { parseLsn } from "./position.ts";

it.each(["newest", "oldest"] as const)("transactions say where their commit record stands (%s)", async (version) => {
  await using log = await LogFixture.on(version, "CREATE TABLE a (id int PRIMARY KEY)");
  const head = async (): Promise<string> => {
    const { rows } = await log.client.query<{ head: string }>("SELECT pg_current_wal_insert_lsn()::text AS head");
    return rows[0]!.head;
  };
  const around: { before: string; after: string }[] = [];
  for (const id of [1, 2]) {
    await log.run("BEGIN", `INSERT INTO a VALUES (${id})`);
    const before = await head();
    await log.run("COMMIT");
    around.push({ before, after: await head() });
  }
  const [rows] = await log.items();
  if (rows?.kind !== "rows") throw new Error("other items");
  for (const [i, { transaction }] of rows.batch.runs.entries()) {
    expect(transaction.place).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    expect(parseLsn(transaction.place)).toBeGreaterThanOrEqual(parseLsn(around[i]!.before));
    expect(parseLsn(transaction.place)).toBeLessThan(parseLsn(around[i]!.after));
  }
});
