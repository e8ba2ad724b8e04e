import { expect, it } from "vitest";
import { createMysqlDatabase } from "./mysql.ts";
import { exchangeUnlocking } from "./online-alteration.ts";
import { waitFor } from "./wait-for.ts";

it.each(["mysql", "mariadb"] as const)(
  "exchanges before the writers of %s, also where its copy is locked",
  async (of) => {
    await using db = await createMysqlDatabase(of);
    for (const name of ["t", "_t_gho"]) await db.query(`CREATE TABLE ${name} (id int PRIMARY KEY)`);
    const untilWaiting = (statement: string): Promise<unknown> =>
      waitFor(`${statement} to wait`, async () => {
        const waiting = await db.query(
          "SELECT id FROM information_schema.processlist WHERE db = ? AND info LIKE ? AND state LIKE 'Waiting for%lock'",
          [db.database, `${statement}%`],
        );
        return waiting.length === 1;
      });
    const [locker, holder, writer] = [await db.client(), await db.client(), await db.client()];
    await locker.query("LOCK TABLES t READ");
    await holder.query("BEGIN");
    await holder.query("SELECT * FROM _t_gho");
    const writing = writer.query("INSERT INTO t VALUES (1)");
    await untilWaiting("INSERT");
    const exchange = exchangeUnlocking(db, locker, "_t_del");
    await untilWaiting("RENAME");
    await holder.query("COMMIT");
    await Promise.all([exchange, writing]);
    expect(await db.query("SELECT id FROM t")).toEqual([{ id: 1 }]);
    expect(await db.query("SELECT id FROM _t_del")).toEqual([]);
  },
);
