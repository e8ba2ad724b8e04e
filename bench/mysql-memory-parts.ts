import type { PrivateMysql } from "../test/support/private-mysql.ts";
import { BenchPipeline, type PipelineOptions, type SinkType } from "./bench-pipeline.ts";
import type { EngineReport } from "./engine-report.ts";
import type { MemoryPart } from "./memory.ts";
import { mysqlSource, runMysql } from "./mysql-server.ts";

const WIDE_ROWS = 16;
const WIDE_BYTES = 64 << 20;
const ROWS_PER_TABLE = 100;
const UPDATES_PER_TABLE = 10;

const WIDE_TABLE = "CREATE TABLE wide (id bigint PRIMARY KEY, body longblob NOT NULL)";
const WIDE_INSERTS = counted(WIDE_ROWS).map(
  (id) => `INSERT INTO wide VALUES (${id}, REPEAT(RANDOM_BYTES(1024), ${WIDE_BYTES / 1024}))`,
);

function counted(end: number): readonly number[] {
  return Array.from({ length: end }, (_, i) => i + 1);
}

/** The statements run while the pipeline waits behind a snapshot of so many rows; what they write is then drained. */
export async function stream(
  server: PrivateMysql,
  options: PipelineOptions,
  { before, rows }: { readonly before: number; readonly rows: number },
  statements: readonly string[],
): Promise<EngineReport> {
  using pipeline = new BenchPipeline(mysqlSource(server), options);
  await pipeline.deliver(before);
  await runMysql(server, ...statements);
  return (await pipeline.deliver(rows)).report;
}

async function snapshot(server: PrivateMysql, options: PipelineOptions, rows: number): Promise<EngineReport> {
  using pipeline = new BenchPipeline(mysqlSource(server), options);
  return (await pipeline.deliver(rows)).report;
}

/** Sixteen rows of 64 MB. The snapshot's are those of the stream before it. */
export function wideParts(server: PrivateMysql, sink: SinkType): Readonly<Record<string, MemoryPart>> {
  const options: PipelineOptions = { tables: ["wide"], sink };
  return {
    "wide stream": async () => {
      await runMysql(server, "DROP TABLE IF EXISTS wide", WIDE_TABLE);
      return await stream(server, options, { before: 0, rows: WIDE_ROWS }, WIDE_INSERTS);
    },
    "wide snapshot": () => snapshot(server, options, WIDE_ROWS),
  };
}

/** So many tables of a hundred rows, of which then ten of each are changed, ten tables in a transaction. */
export function manyTablesParts(
  server: PrivateMysql,
  sink: SinkType,
  tables: number,
  checkpointInterval: string,
): Readonly<Record<string, MemoryPart>> {
  const options: PipelineOptions = { tables: ["many_\\.*"], sink, checkpointInterval };
  const each = (statement: (i: number) => string): readonly string[] => counted(tables).map(statement);
  const updates = counted(UPDATES_PER_TABLE).flatMap((row) =>
    counted(tables).flatMap((i) => [
      ...(i % 10 === 1 ? ["BEGIN"] : []),
      `UPDATE many_${i} SET amount = amount + 1 WHERE id = ${row}`,
      ...(i % 10 === 0 ? ["COMMIT"] : []),
    ]),
  );
  const rows = tables * ROWS_PER_TABLE;
  return {
    "many tables' snapshot": async () => {
      await runMysql(
        server,
        ...each((i) => `DROP TABLE IF EXISTS many_${i}`),
        ...each(
          (i) =>
            `CREATE TABLE many_${i} (id bigint PRIMARY KEY, name varchar(100), amount decimal(12, 2), at timestamp(6) NULL)`,
        ),
        ...each(
          (i) =>
            `INSERT INTO many_${i} SELECT g, CONCAT('row ', g), g / 7.0, NOW(6) FROM numbers WHERE g <= ${ROWS_PER_TABLE}`,
        ),
      );
      return await snapshot(server, options, rows);
    },
    "many tables' stream": () => stream(server, options, { before: rows, rows: tables * UPDATES_PER_TABLE }, updates),
  };
}
