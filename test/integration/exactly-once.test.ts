import { expect, test } from "vitest";
import { testPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn, type ServerName } from "../support/test-server.ts";
import { createWorkload } from "../support/workload.ts";
import { WORKLOAD_KEYS } from "../support/workload-tables.ts";

const ROWS = 3_000;
/** Beside the thousands of rows with 4 kB: enough for a chunk to reach its bytes before its rows. */
const WIDE_ROWS = 60;
const WIDE_BYTES = 400_000;

const cases: readonly { readonly server: ServerName; readonly truncate: boolean }[] = [
  { server: "postgres", truncate: true },
  { server: "oldest-postgres", truncate: false },
  { server: "mysql", truncate: true },
  { server: "mariadb", truncate: true },
];

/** Guarantee 1 of docs/guarantees.md: under load from before the first chunk on, source and sink end equal. */
test.each(cases)(
  "a snapshot under load ends equal (server $server, truncate $truncate)",
  async ({ server, truncate }) => {
    await using db = await createDatabaseOn(server);
    await using workload = await createWorkload(db, { seed: 17, rows: ROWS, longStatements: 150 });
    await db.query(
      `UPDATE orders SET note = repeat('0123456789abcdef', ${WIDE_BYTES / 16}) WHERE id % ${(ROWS * 10) / WIDE_ROWS} < 10`,
    );
    await using pipeline = await testPipeline(db, { parallelism: 3 });

    workload.start();
    const run = pipeline.run();
    await run.untilOutput(/ running$/m);
    workload.truncates = truncate;
    await pipeline.untilStreaming(workload.tables, 120_000);
    await workload.untilCommitted(300);
    const stats = await workload.stop();
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();

    expect(stats.committed).toBeGreaterThan(300);
    expect(await pipeline.differences(workload.tables)).toEqual([]);
    for (const [table, key] of Object.entries(WORKLOAD_KEYS))
      expect(await pipeline.duplicateKeys(table, key), table).toBe(0);
  },
);
