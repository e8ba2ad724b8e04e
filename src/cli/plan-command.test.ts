import { expect, test } from "vitest";
import { MillraceError } from "../core/errors.ts";
import { tableId, type TableSchema } from "../core/table-schema.ts";
import type { PipelinePlan } from "../pipeline/compose.ts";
import { parsePipeline } from "../pipeline/parse.ts";
import type { PipelineSpec } from "../pipeline/spec.ts";
import { NO_COLOURS } from "./paint.ts";
import { planJson, planLines } from "./plan-command.ts";

const ORDERS = tableId("public", "orders");
const LOG = tableId("public", "log");
const schema: TableSchema = {
  id: ORDERS,
  namespace: "public",
  name: "orders",
  version: 1,
  columns: [
    {
      name: "id",
      type: { kind: "int", bits: 64 },
      nullable: false,
      sourceType: "bigint",
      collation: null,
      existingRowsDefault: null,
    },
  ],
  key: [0],
};
const SPEC = parsePipeline(
  "source: {type: postgres, hostname: db, username: u, password: swordfish, tables: d.s.t}\nsink: {type: duckdb, path: w.duckdb}\npipeline: {name: shop}",
  { file: "p.yaml", folder: "/data", environment: {} },
);
const PLAN: PipelinePlan = {
  chunkRows: 100_000,
  guarantee: "exactly once",
  targets: new Map([[ORDERS, "public.orders"]]),
  sizes: new Map([[ORDERS, { rows: 250_001, bytes: 30_000_000 }]]),
  inspection: {
    identity: { system: "7" },
    server: "PostgreSQL 18.1",
    cutMethod: "exact",
    notes: ["something to know"],
    offers: [
      {
        schema,
        object: "1",
        logged: false,
        readBy: "chunks of (id)",
        notes: ["no cascades"],
      },
    ],
    refusals: [{ table: LOG, error: new MillraceError("INTERNAL", "it has no key", { hint: "ALTER TABLE log …;" }) }],
  },
};

test("the plan for people", () => {
  expect(planLines(SPEC, PLAN, { palette: NO_COLOURS })).toEqual([
    "pipeline   shop",
    "source     PostgreSQL 18.1 at db:5432, database d",
    "sink       duckdb /data/w.duckdb",
    "guarantee  exactly once",
    "start      a snapshot of the tables, then their changes",
    "snapshot   exact",
    "note       something to know",
    "",
    "public.orders → public.orders",
    "  about 250,001 rows, 30.0 MB; chunks of (id), about 3 chunks",
    "  note: no cascades",
    "public.log refused",
    "  error INTERNAL: it has no key",
    "    hint: ALTER TABLE log …;",
    "",
    "1 table, 1 refused; nothing was written",
  ]);
});

test("the plan of a start without a snapshot", () => {
  const startup = { kind: "timestamp", ms: 1_700_000_000_123 } as const;
  const spec: PipelineSpec = { ...SPEC, source: { ...SPEC.source, startup } };
  const lines = planLines(spec, PLAN, { palette: NO_COLOURS });
  expect(lines.slice(4, 6)).toEqual([
    "start      no snapshot: the log from 2023-11-14T22:13:20.123Z on",
    "note       something to know",
  ]);
});

test("the plan for programs, in which nothing is secret", () => {
  const json = planJson(SPEC, PLAN);
  expect(json).toMatchObject({
    tables: [{ table: "public.orders", key: ["id"], chunksEstimate: 3 }],
    refused: [{ table: "public.log", code: "INTERNAL", message: "it has no key", hint: "ALTER TABLE log …;" }],
  });
  expect(JSON.stringify(json)).not.toContain("swordfish");
});
