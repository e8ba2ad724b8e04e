import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  deadline,
  NO_CAPS,
  offeredSchemas,
  openReader,
  openSource,
  readChunk,
} from "../../../test/support/postgres-source.ts";
import { createDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import type { ChunkRange } from "../../core/chunk.ts";

/** Keys of every type that orders in a way of its own, with a table of 500 rows each. */
const KEYS = [
  ["smallint", "id smallint PRIMARY KEY", "SELECT g FROM generate_series(-250, 249) g"],
  ["bigint with gaps", "id bigint PRIMARY KEY", "SELECT (g::numeric ^ 6.9)::bigint FROM generate_series(1, 500) g"],
  [
    "bigint extremes",
    "id bigint PRIMARY KEY",
    "SELECT CASE g WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE g END FROM generate_series(1, 500) g",
  ],
  [
    "text under ICU",
    `id text COLLATE "en-x-icu" PRIMARY KEY`,
    "SELECT CASE g % 4 WHEN 0 THEN 'Ä' WHEN 1 THEN 'a''' WHEN 2 THEN 'B\\' ELSE '-z' END || g FROM generate_series(1, 500) g",
  ],
  [
    "text under C",
    `id text COLLATE "C" PRIMARY KEY`,
    "SELECT CASE g % 3 WHEN 0 THEN 'Z' WHEN 1 THEN 'ä' ELSE '' END || g FROM generate_series(1, 500) g",
  ],
  [
    "char(n)",
    "id char(6) PRIMARY KEY",
    "SELECT CASE g % 2 WHEN 0 THEN 'B' ELSE 'a' END || g FROM generate_series(1, 500) g",
  ],
  ["uuid", "id uuid PRIMARY KEY", "SELECT md5(g::text)::uuid FROM generate_series(1, 500) g"],
  ["numeric", "id numeric PRIMARY KEY", "SELECT (g - 250) / 7.0 FROM generate_series(1, 500) g"],
  ["numeric(12,3)", "id numeric(12,3) PRIMARY KEY", "SELECT (g - 250) * 1.125 FROM generate_series(1, 500) g"],
  ["double precision", "id float8 PRIMARY KEY", "SELECT (g - 250) * 0.1 + 1e-9 FROM generate_series(1, 500) g"],
  [
    "timestamptz",
    "id timestamptz PRIMARY KEY",
    "SELECT '2024-03-31 00:59:59.999999+00'::timestamptz + g * interval '7 hours 3 microseconds' FROM generate_series(1, 500) g",
  ],
  [
    "date with infinity",
    "id date PRIMARY KEY",
    "SELECT CASE g WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' ELSE '2000-01-01'::date + g END FROM generate_series(1, 500) g",
  ],
  ["inet", "id inet PRIMARY KEY", "SELECT '10.0.0.0'::inet + g FROM generate_series(1, 500) g"],
  ["bytea", "id bytea PRIMARY KEY", "SELECT decode(md5(g::text), 'hex') FROM generate_series(1, 500) g"],
  [
    "boolean and text",
    "ok boolean, id text, PRIMARY KEY (ok, id)",
    "SELECT g % 2 = 0, g::text FROM generate_series(1, 500) g",
  ],
  [
    "another order than the columns'",
    "a int, b text, c uuid, PRIMARY KEY (b, a)",
    "SELECT g, (g % 7)::text, md5(g::text)::uuid FROM generate_series(1, 500) g",
  ],
  [
    "an enum",
    "id mood, n int, PRIMARY KEY (id, n)",
    "SELECT (ARRAY['sad','ok','glad']::mood[])[1 + g % 3], g FROM generate_series(1, 500) g",
  ],
  ["int[]", "id int[] PRIMARY KEY", "SELECT ARRAY[g % 5, g] FROM generate_series(1, 500) g"],
  [
    "citext, whose operators are not in pg_catalog",
    "id public.citext PRIMARY KEY",
    "SELECT CASE g % 4 WHEN 0 THEN 'a' WHEN 1 THEN 'B' WHEN 2 THEN 'c' ELSE 'D' END || g FROM generate_series(1, 500) g",
  ],
  ["a domain", "id code PRIMARY KEY", "SELECT 'c' || g FROM generate_series(1, 500) g"],
  ["a composite type", "id pair PRIMARY KEY", "SELECT (g % 5, 'x,' || g)::pair FROM generate_series(1, 500) g"],
] as const;

describe.each(["oldest", "newest"] as const)("chunks of the %s PostgreSQL", (version) => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await createDatabase(version);
    await db.query("CREATE EXTENSION citext");
    await db.query("CREATE TYPE mood AS ENUM ('glad', 'ok', 'sad')");
    await db.query("CREATE TYPE pair AS (a int, b text)");
    await db.query(`CREATE DOMAIN code AS text COLLATE "C" CHECK (value <> '')`);
  });

  afterAll(() => db[Symbol.asyncDispose]());

  it.each(KEYS)("cover a table with a key of %s exactly once", async (_, columns, rows) => {
    await db.query("DROP TABLE IF EXISTS t");
    await db.query(`CREATE TABLE t (${columns}, v text DEFAULT 'x')`);
    await db.query(`INSERT INTO t ${rows}`);
    await db.query("ANALYZE t");
    await using source = openSource(db, "public.t");
    await using reader = openReader(db, "public.t");
    const [schema] = await offeredSchemas(source);
    const { max } = await source.planner.extent(schema!, deadline());
    const seen: string[] = [];
    let chunks = 0;
    for (let gap: ChunkRange | null = { lower: null, upper: max }; gap !== null; chunks++) {
      const planned = await source.planner.next(schema!, gap, 60, deadline());
      const { outcome, rows: read } = await readChunk(reader, schema!, planned, {
        rowsMax: 45,
        bytesMax: NO_CAPS.bytesMax,
      });
      expect(outcome.rows).toBe(read.length);
      expect(outcome.rows).toBeLessThanOrEqual(45);
      seen.push(...read.map((row) => JSON.stringify(row)));
      const done = outcome.rest === null ? planned.upper! : outcome.rest.lower!;
      gap = done.every((text, i) => text === max![i]) ? null : { lower: done, upper: max };
    }
    expect(seen).toHaveLength(500);
    expect(new Set(seen).size).toBe(500);
    expect(chunks).toBeGreaterThan(10);
    expect(chunks).toBeLessThan(60);
  });
});
