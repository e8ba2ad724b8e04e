import { expect, test } from "vitest";
import { testPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn, type ServerName } from "../support/test-server.ts";
import { createWorkload } from "../support/workload.ts";
import { WORKLOAD_KEYS } from "../support/workload-tables.ts";

const SERVERS: readonly ServerName[] = ["postgres", "mysql", "mariadb"];

test.each(SERVERS)("a snapshot under load and what follows end equal, by their log of changes (%s)", async (server) => {
  await using db = await createDatabaseOn(server);
  await using workload = await createWorkload(db, { seed: 19, rows: 3_000, longStatements: 150 });
  await using pipeline = await testPipeline(db, { parallelism: 3, sink: { type: "parquet" } });
  workload.start();
  const run = pipeline.run();
  await run.untilOutput(/ running$/m);
  workload.truncates = true;
  await pipeline.untilStreaming(workload.tables, 120_000);
  await workload.untilCommitted(300);
  await workload.stop();
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  expect(await pipeline.differences(workload.tables)).toEqual([]);
  for (const [table, key] of Object.entries(WORKLOAD_KEYS))
    expect(await pipeline.duplicateKeys(table, key), table).toBe(0);
});
