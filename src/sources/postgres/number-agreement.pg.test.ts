import { expect, it } from "vitest";
import { cellTexts, copyBytes, rowTexts, sourceClient, STRICT_RULES } from "../../../test/support/postgres-decoding.ts";
import { tableOf } from "../../../test/support/postgres-wire.ts";
import { createDatabase } from "../../../test/support/postgres.ts";
import { ColumnBuilder } from "../../core/column-builder.ts";
import type { Column } from "../../core/column.ts";
import { fixedWidth, type LogicalType } from "../../core/logical-type.ts";
import { cellType, Outcome } from "../../decoding/cell-type.ts";
import { CopyDecoder } from "./copy-decoder.ts";
import { appendText } from "./text-value.ts";

/** Many values of a type, made by the server: `v` of a query, the same each time. */
const CASES: readonly { readonly title: string; readonly type: LogicalType; readonly select: string }[] = [
  {
    title: "every power of two that a real has",
    type: { kind: "float", bits: 32 },
    select: "SELECT (2::float8 ^ n)::float4 AS v FROM generate_series(-149, 127) n",
  },
  {
    title: "reals of all sizes",
    type: { kind: "float", bits: 32 },
    select: "SELECT ((random() - 0.5) * 10::float8 ^ (random() * 70 - 32))::float4 AS v FROM generate_series(1, 5000)",
  },
  {
    title: "reals with few digits",
    type: { kind: "float", bits: 32 },
    select:
      "SELECT ((random() * 1e6)::int * 10::float8 ^ (random() * 60 - 32)::int)::float4 AS v FROM generate_series(1, 5000)",
  },
  {
    title: "doubles of all sizes",
    type: { kind: "float", bits: 64 },
    select: "SELECT (random() - 0.5) * 10::float8 ^ (random() * 600 - 300) AS v FROM generate_series(1, 5000)",
  },
  {
    title: "doubles with few digits",
    type: { kind: "float", bits: 64 },
    select:
      "SELECT ((random() * 1e9)::int)::float8 / 10::float8 ^ (random() * 12)::int AS v FROM generate_series(1, 5000)",
  },
  {
    title: "timestamps of all years",
    type: { kind: "timestamp", zone: true },
    select: `SELECT '4713-01-01 BC'::timestamptz + random() * 298000 * interval '365 days' + random() * interval '1 day' AS v
             FROM generate_series(1, 5000)`,
  },
  {
    title: "every day of some centuries",
    type: { kind: "date" },
    select: "SELECT '0301-01-01 BC'::date + n AS v FROM generate_series(0, 300000, 7) n",
  },
  {
    title: "bigints of all sizes",
    type: { kind: "int", bits: 64 },
    select:
      "SELECT (random() - 0.5)::numeric(20, 19) * 10::numeric ^ (random() * 18)::int AS v FROM generate_series(1, 5000)",
  },
];

function byText(type: LogicalType, texts: readonly string[]): Column {
  const builder = new ColumnBuilder(type);
  const cell = cellType(type, STRICT_RULES);
  const refused = texts.filter((text) => {
    const bytes = Buffer.from(text);
    return appendText(builder, cell, bytes, 0, bytes.length) !== Outcome.done;
  });
  expect(refused).toEqual([]);
  return builder.finish();
}

it.each(CASES)("$title: text, binary form and our own print agree", async ({ type, select }) => {
  await using db = await createDatabase();
  const client = await sourceClient(db);
  const sqlType = type.kind === "int" ? "v::bigint" : "v";
  await client.query("SELECT setseed(0.5)");
  await client.query(`CREATE TEMP TABLE numbers AS SELECT ${sqlType} AS v FROM (${select}) made`);
  const texts = (await rowTexts(client, "SELECT v FROM numbers")).map(([text]) => text!);
  const decoder = new CopyDecoder(tableOf(type), STRICT_RULES);
  const bytes = await copyBytes(client, "SELECT v FROM numbers");
  decoder.push(bytes, 0, bytes.length);
  const [copied] = decoder.take();
  expect(cellTexts(copied!)).toEqual(texts);
  const used = texts.length * fixedWidth(type);
  expect(byText(type, texts).values.subarray(0, used)).toEqual(copied!.values.subarray(0, used));
});
