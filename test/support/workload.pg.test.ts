import { expect, it } from "vitest";
import { createDatabase } from "./postgres.ts";
import { Random } from "./random.ts";
import { createWorkload } from "./workload.ts";
import { STEPS } from "./workload-steps.ts";

it.each(["newest", "oldest"] as const)(
  "writes without a pause until it is stopped, on PostgreSQL (%s)",
  async (version) => {
    await using db = await createDatabase(version);
    await using workload = await createWorkload(db, { seed: 7, rows: 700, truncate: true });
    workload.start();
    await workload.untilCommitted(1_000);
    const stats = await workload.stop();
    expect(stats.committed).toBeGreaterThanOrEqual(1_000);
    expect(stats.rolledBack).toBeGreaterThan(0);
    const [open] = await db.query(
      "SELECT count(*)::int AS sessions FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()",
    );
    expect(open).toEqual({ sessions: 0 });
    expect(workload.stats).toEqual(stats);
  },
);

it("has statements that each do something", async () => {
  await using db = await createDatabase();
  await createWorkload(db, { seed: 1, rows: 700 });
  const random = new Random(3);
  for (const step of STEPS) {
    let rows = 0;
    for (let i = 0; i < 50 && rows === 0; i++) {
      const [text, values] = step.sql(random, 700);
      const client = await db.client();
      rows += (await client.query(text, [...values])).rowCount ?? 0;
      await client.end();
    }
    expect(rows, step.name).toBeGreaterThan(0);
  }
});

it("makes the same choices from the same seed", () => {
  const choices = (): number[] => {
    const random = new Random(42);
    return Array.from({ length: 5 }, () => random.below(1_000));
  };
  expect(choices()).toEqual(choices());
  expect(new Set(choices()).size).toBeGreaterThan(1);
});
