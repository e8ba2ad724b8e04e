import { expect, it } from "vitest";
import { Random } from "./random.ts";
import { createDatabaseOn, type ServerName } from "./test-server.ts";
import { waitFor } from "./wait-for.ts";
import { createWorkload } from "./workload.ts";
import { openWorkloadSession } from "./workload-session.ts";
import { STEPS } from "./workload-steps.ts";

/** That the workload does on these servers what the tests of guarantees take for granted. */
export function workloadSuite(servers: readonly ServerName[]): void {
  it.each(servers)("writes without a pause until it is stopped, on %s", async (server) => {
    await using db = await createDatabaseOn(server);
    await using workload = await createWorkload(db, { seed: 7, rows: 700, longStatements: 50, truncate: true });
    workload.start();
    await workload.untilCommitted(1_000);
    await waitFor("a long transaction, and a TRUNCATE", () => {
      workload.throwIfFailed();
      return workload.stats.longCommitted > 0 && workload.stats.emptied > 0;
    });
    const stats = await workload.stop();
    expect(stats.committed).toBeGreaterThanOrEqual(1_000);
    expect(stats.rolledBack).toBeGreaterThan(0);
    expect(workload.stats).toEqual(stats);
  });

  it.each(servers)("has statements that each do something, on %s", async (server) => {
    await using db = await createDatabaseOn(server);
    await createWorkload(db, { seed: 1, rows: 700 });
    const session = await openWorkloadSession(db);
    const random = new Random(3);
    for (const step of STEPS) {
      let rows = 0;
      for (let i = 0; i < 50 && rows === 0; i++)
        rows += await session.run(step.sql[session.dialect], step.values(random, 700));
      expect(rows, step.name).toBeGreaterThan(0);
    }
    await session.end();
  });
}
