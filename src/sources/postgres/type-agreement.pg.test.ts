import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  catalogTable,
  cellTexts,
  copyBytes,
  decodeLog,
  logDecoder,
  logMessages,
  rowTexts,
  sourceClient,
} from "../../../test/support/postgres-decoding.ts";
import { TYPE_CASES, TYPE_CASES_SETUP, type TypeCase } from "../../../test/support/postgres-type-cases.ts";
import { createDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import type { Column } from "../../core/column.ts";
import { bit } from "../../core/column.ts";
import { fixedWidth, type LogicalType } from "../../core/logical-type.ts";
import type { ValueRules } from "../../core/source.ts";
import type { CatalogTable } from "./catalog.ts";
import { CopyDecoder } from "./copy-decoder.ts";
import { catalogSchema, selectList } from "./schema.ts";

const RULES: Readonly<Record<string, ValueRules>> = {
  "a sink with infinities, else null": {
    unrepresentable: "null",
    nonFinite: { decimalNaN: false, dateInfinity: true, timestampInfinity: true },
    beforeImages: false,
  },
  "a sink without infinities, null": {
    unrepresentable: "null",
    nonFinite: { decimalNaN: false, dateInfinity: false, timestampInfinity: false },
    beforeImages: false,
  },
  "a sink without infinities, text": {
    unrepresentable: "text",
    nonFinite: { decimalNaN: false, dateInfinity: false, timestampInfinity: false },
    beforeImages: false,
  },
};

/** What the server prints, or null where the rules make it one. */
function expectedText(text: string | null, type: LogicalType, rules: ValueRules): string | null {
  if (text === null) return null;
  const infinite = text.endsWith("infinity");
  if (type.kind === "decimal" && text === "NaN") return null;
  if (type.kind === "date" && infinite && !rules.nonFinite.dateInfinity) return null;
  if (type.kind === "timestamp" && infinite && !rules.nonFinite.timestampInfinity) return null;
  if (type.kind === "timestamp" && /^29427|^294247-01-10 04:00:54\.775807/.test(text)) return null;
  return text;
}

/** The bytes that a column means: nothing of its capacity, nothing below a null. */
function meaning(column: Column): unknown {
  const width = fixedWidth(column.type);
  const rows = Array.from({ length: column.length }, (_, row) => row);
  if (width === 0) return rows.map((row) => bit(column.values, row));
  if (column.offsets === null) return Buffer.from(column.values.subarray(0, width * column.length)).toString("hex");
  const { offsets, values } = column;
  return rows.map((row) => Buffer.from(values.subarray(offsets[row], offsets[row + 1])).toString("hex"));
}

describe.each(["newest", "oldest"] as const)("types of PostgreSQL (%s)", (version) => {
  let db: TestDatabase;
  let client: pg.Client;
  let cases: readonly { readonly table: string; readonly test: TypeCase }[];
  let messages: Buffer[];

  beforeAll(async () => {
    db = await createDatabase(version);
    client = await sourceClient(db);
    const own = await db.client();
    const { rows } = await own.query<{ major: number }>(
      "SELECT current_setting('server_version_num')::int / 10000 major",
    );
    cases = TYPE_CASES.map((test, i) => ({ table: `t${i}`, test })).filter(
      ({ test }) => (test.since ?? 0) <= rows[0]!.major,
    );
    await own.query(TYPE_CASES_SETUP);
    for (const { table, test } of cases) {
      await own.query(`CREATE TABLE ${table} (id int PRIMARY KEY, v ${test.type})`);
    }
    await own.query(`CREATE PUBLICATION p FOR TABLE ${cases.map(({ table }) => table).join(", ")}`);
    await own.query(`SELECT pg_create_logical_replication_slot('${db.database}', 'pgoutput')`);
    for (const { table, test } of cases) {
      const rows = [...test.values, "NULL"].map((value, i) => `(${i}, (${value})::${test.type})`);
      await own.query(`INSERT INTO ${table} VALUES ${rows.join(", ")}`);
    }
    messages = await logMessages(client, db.database, "p");
  });

  afterAll(() => db[Symbol.asyncDispose]());

  it.each(Object.entries(RULES))("come out the same by COPY, by the log and by SELECT: %s", async (_, rules) => {
    const tables: CatalogTable[] = [];
    for (const { table } of cases) tables.push(await catalogTable(client, table));
    const schemas = tables.map((table) => catalogSchema(table, rules));
    const items = await decodeLog(logDecoder(schemas, { rules }), messages);
    const logColumns = new Map(
      items.flatMap((item) => (item.kind === "rows" ? [[item.batch.schema.name, item.batch.columns[1]!]] : [])),
    );
    expect(items.filter((item) => item.kind === "stop").map((item) => item.error.message)).toEqual([]);

    for (const [i, { table, test }] of cases.entries()) {
      const schema = schemas[i]!;
      const type = schema.columns[1]!.type;
      const texts = await rowTexts(client, `SELECT v FROM public.${table} ORDER BY id`);
      const expected = texts.map(([text]) => expectedText(text!, type, rules));
      const decoder = new CopyDecoder(schema, rules);
      const bytes = await copyBytes(
        client,
        `SELECT ${selectList(schema, tables[i]!)} FROM public.${table} ORDER BY id`,
      );
      decoder.push(bytes, 0, bytes.length);
      const copied = decoder.take()[1]!;
      expect(cellTexts(copied), `${test.type} by COPY`).toEqual(expected);
      expect(cellTexts(logColumns.get(table)!), `${test.type} by the log`).toEqual(expected);
      expect(meaning(logColumns.get(table)!), `${test.type} byte by byte`).toEqual(meaning(copied));
    }
  });
});
