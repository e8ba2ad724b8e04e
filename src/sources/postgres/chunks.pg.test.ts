import { describe, expect, it } from "vitest";
import {
  batchRows,
  deadline,
  NO_CAPS,
  offeredSchemas,
  openReader,
  openSource,
  readChunk,
} from "../../../test/support/postgres-source.ts";
import { createDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { waitFor } from "../../../test/support/wait-for.ts";
import type { ChunkRange } from "../../core/chunk.ts";
import { PgCut, xid64 } from "./position.ts";

const ALL: ChunkRange = { lower: null, upper: null };

describe.each(["oldest", "newest"] as const)("chunks of the %s PostgreSQL", (version) => {
  /** How many chunks the planner makes of the whole table; `rows(n)` are asked of the nth. */
  async function planned(db: TestDatabase, rows: (n: number) => number): Promise<number> {
    await using source = openSource(db, "public.t");
    const [schema] = await offeredSchemas(source);
    const { max } = await source.planner.extent(schema!, deadline());
    let chunks = 0;
    for (let lower: readonly string[] | null = null; lower?.[0] !== max![0]; chunks++)
      lower = (await source.planner.next(schema!, { lower, upper: max }, rows(chunks), deadline())).upper;
    return chunks;
  }

  it("have the rows that were asked for in a table that was never analyzed", async () => {
    await using db = await createDatabase(version);
    // Wide rows: from its pages alone the server guesses many times as many.
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off)");
    await db.query("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 10000) g");
    expect(await planned(db, () => 1000)).toBe(10);
  });

  it("follow the rows that are asked for as they grow", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20000)");
    await db.query("ANALYZE t");
    // 250, 500, and 1,000 from then on.
    const chunks = await planned(db, (n) => Math.min(1000, 250 * 2 ** n));
    expect(chunks).toBeGreaterThan(19);
    expect(chunks).toBeLessThan(25);
  });

  it("cost no more on keys spread over 2^62 than on neighbours", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id bigint PRIMARY KEY)");
    await db.query(
      "INSERT INTO t SELECT g FROM generate_series(1, 20000) g UNION ALL SELECT 4611686018427387904 - g * 999999999999 FROM generate_series(1, 2000) g",
    );
    await db.query("ANALYZE t");
    const chunks = await planned(db, () => 1000);
    expect(chunks).toBeLessThan(60);
    expect(chunks).toBeGreaterThan(10);
  });

  it("never scan the table, whether they plan or read", async () => {
    await using db = await createDatabase(version);
    const filler = await db.client();
    await filler.query("CREATE TABLE t (a text, b int, v text, PRIMARY KEY (a, b))");
    await filler.query("INSERT INTO t SELECT md5(g::text), g, repeat('x', 50) FROM generate_series(1, 20000) g");
    // A session tells the statistics what it did at the latest when it ends.
    await filler.end();
    const scans = async (enough: (s: { rows: number; seq: number; index: number }) => boolean): Promise<number> =>
      waitFor("the statistics to arrive", async () => {
        const [now] = await db.query<{ rows: number; seq: number; index: number }>(
          `SELECT n_tup_ins::float8 AS rows, seq_scan::float8 AS seq, idx_scan::float8 AS index
           FROM pg_stat_user_tables WHERE relname = 't'`,
        );
        return now !== undefined && enough(now) ? { seq: now.seq } : null;
      }).then((found) => found.seq);
    const before = await scans((s) => s.rows === 20_000);
    {
      await using source = openSource(db, "public.t");
      await using reader = openReader(db, "public.t");
      const [schema] = await offeredSchemas(source);
      const { max } = await source.planner.extent(schema!, deadline());
      const first = await source.planner.next(schema!, { lower: null, upper: max }, 1000, deadline());
      const second = await source.planner.next(schema!, { lower: first.upper, upper: max }, 1000, deadline());
      expect((await readChunk(reader, schema!, second)).outcome.rows).toBe(1000);
    }
    expect(await scans((s) => s.index >= 4)).toBe(before);
  });

  it("that fail leave nothing behind for the next table on the same connection", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await using source = openSource(db, "public.t");
    await using reader = openReader(db, "public.t");
    const [schema] = await offeredSchemas(source);
    const refused = readChunk(reader, schema!, { lower: null, upper: ["no number"] });
    await expect(refused).rejects.toMatchObject({ code: "SOURCE_STATEMENT_FAILED" });
    expect((await readChunk(reader, schema!, { lower: null, upper: ["9"] })).outcome.rows).toBe(0);
  });

  it("end at their byte cap and give the rest back", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await db.query("INSERT INTO t SELECT g, repeat('x', 20000) FROM generate_series(1, 300) g");
    await using source = openSource(db, "public.t");
    await using reader = openReader(db, "public.t");
    const [schema] = await offeredSchemas(source);
    const ids: number[] = [];
    let range: ChunkRange | null = { lower: null, upper: ["300"] };
    let reads = 0;
    for (; range !== null; reads++) {
      const { outcome, rows } = await readChunk(reader, schema!, range, { ...NO_CAPS, bytesMax: 2_000_000 });
      expect(outcome.bytes).toBeLessThan(2_600_000);
      ids.push(...rows.map((row) => Number(row[0])));
      range = outcome.rest;
    }
    expect(ids).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(reads).toBeGreaterThanOrEqual(3);
  });

  it("are one for a table that fits, and more where it has grown since", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await db.query("INSERT INTO t SELECT g * 100 FROM generate_series(1, 50) g");
    await using source = openSource(db, "public.t");
    await using reader = openReader(db, "public.t");
    const [schema] = await offeredSchemas(source);
    const { max } = await source.planner.extent(schema!, deadline());
    const whole = { lower: null, upper: max };
    await db.query("INSERT INTO t SELECT g FROM generate_series(1, 5000) g ON CONFLICT DO NOTHING");
    const planned = await source.planner.next(schema!, whole, 1000, deadline());
    expect(planned).toEqual(whole);
    const first = await readChunk(reader, schema!, planned, { ...NO_CAPS, rowsMax: 2000 });
    expect(first.outcome.rows).toBe(2000);
    const second = await source.planner.next(schema!, first.outcome.rest!, 1000, deadline());
    expect(second).toEqual({ lower: ["2000"], upper: ["3000"] });
  });

  it("read what their cut includes and nothing else", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await db.query("INSERT INTO t SELECT generate_series(1, 10)");
    const open = await db.client();
    await open.query("BEGIN");
    await open.query("INSERT INTO t VALUES (11)");
    await open.query("SAVEPOINT s");
    await open.query("INSERT INTO t VALUES (12)");
    const xidOf = async (sql: string): Promise<bigint> => BigInt((await open.query<{ x: string }>(sql)).rows[0]!.x);
    const openXid = await xidOf("SELECT pg_current_xact_id()::text AS x");
    const [done] = await db.query<{ x: string }>("INSERT INTO t VALUES (13) RETURNING pg_current_xact_id()::text AS x");
    await using reader = openReader(db, "public.t");
    await using source = openSource(db, "public.t");
    const [schema] = await offeredSchemas(source);
    const { cut, rows } = await readChunk(reader, schema!, ALL);
    await open.query("COMMIT");
    expect(rows.map((row) => row[0])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13].map(String));
    const parsed = PgCut.parse(cut);
    expect(parsed.includesXid(xid64(openXid))).toBe(false);
    expect(parsed.includesXid(xid64(BigInt(done!.x)))).toBe(true);
  });

  it("report columns that the plan did not know, with what older rows got", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await db.query("INSERT INTO t VALUES (1)");
    await using source = openSource(db, "public.t");
    const [schema] = await offeredSchemas(source);
    await db.query("ALTER TABLE t ADD COLUMN a text DEFAULT 'it''s, {so}', ADD COLUMN b int");
    await using reader = openReader(db, "public.t");
    const { outcome, rows } = await readChunk(reader, schema!, ALL);
    expect(rows).toEqual([["1", "it's, {so}", null]]);
    expect(outcome.schema.version).toBe(2);
    expect(outcome.schema.columns.map((column) => [column.name, column.existingRowsDefault])).toEqual([
      ["id", null],
      ["a", "it's, {so}"],
      ["b", null],
    ]);
  });

  it.each([
    ["ALTER TABLE t DROP COLUMN v", "SCHEMA_CHANGED"],
    ["ALTER TABLE t DROP COLUMN v, ADD COLUMN v text NOT NULL DEFAULT 'new'", "SCHEMA_CHANGED"],
    ["ALTER TABLE t RENAME COLUMN v TO w", "SCHEMA_CHANGED"],
    ["ALTER TABLE t ALTER COLUMN v TYPE varchar(9)", "SCHEMA_CHANGED"],
    [`ALTER TABLE t ALTER COLUMN v TYPE text COLLATE "C"`, "SCHEMA_CHANGED"],
    ["ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v)", "SCHEMA_CHANGED"],
    ["ALTER TABLE t RENAME TO u", "SCHEMA_CHANGED"],
    ["DROP TABLE t", "SCHEMA_CHANGED"],
    ["ALTER TABLE t ADD COLUMN w float8 DEFAULT random()", "DDL_UNCLEAR"],
  ])("are refused after %s", async (ddl, code) => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL)");
    await db.query("INSERT INTO t VALUES (1, 'x')");
    await using source = openSource(db, "public.t");
    const [schema] = await offeredSchemas(source);
    await db.query(ddl);
    await using reader = openReader(db, "public.t");
    await expect(readChunk(reader, schema!, ALL)).rejects.toMatchObject({ code });
    await db.query("CREATE TABLE again (id int PRIMARY KEY)");
    const [other] = await offeredSchemas(openSource(db, "public.again"));
    expect((await readChunk(reader, other!, ALL)).rows).toEqual([]);
  });

  it("wait for a locked table no longer than they may, and can be read afterwards", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await using source = openSource(db, "public.t");
    const [schema] = await offeredSchemas(source);
    const holder = await db.client();
    await holder.query("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    await using reader = openReader(db, "public.t", { lockTimeoutMs: 100 });
    await expect(readChunk(reader, schema!, ALL)).rejects.toMatchObject({
      code: "SOURCE_LOCK_TIMEOUT",
      retry: "timed",
    });
    await holder.query("ROLLBACK");
    expect((await readChunk(reader, schema!, ALL)).rows).toEqual([]);
  });

  it("wait with the socket while a batch is being taken, and lose nothing", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await db.query("INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g");
    await using source = openSource(db, "public.t");
    const [schema] = await offeredSchemas(source);
    await using reader = openReader(db, "public.t");
    let taken = 0;
    let open = 0;
    const outcome = await reader.read(
      { grant: { chunk: 1, attempt: 1, token: 1 }, schema: schema!, range: ALL, ...NO_CAPS },
      {
        opened: () => undefined,
        batch: async (batch) => {
          expect(++open).toBe(1);
          await db.query("SELECT 1");
          taken += batch.length;
          open--;
        },
      },
      deadline(),
    );
    expect(taken).toBe(100_000);
    expect(outcome.rows).toBe(100_000);
  });

  it("are cut off by an abort", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await db.query("INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g");
    await using source = openSource(db, "public.t");
    const [schema] = await offeredSchemas(source);
    await using reader = openReader(db, "public.t");
    const abort = new AbortController();
    const reading = reader.read(
      { grant: { chunk: 1, attempt: 1, token: 1 }, schema: schema!, range: ALL, ...NO_CAPS },
      { opened: () => undefined, batch: async () => abort.abort(new Error("enough")) },
      abort.signal,
    );
    await expect(reading).rejects.toThrow("enough");
    expect((await readChunk(reader, schema!, { lower: null, upper: ["3"] })).rows).toHaveLength(3);
  });

  it("read partitions as one table, and an inheriting table not at all", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE p (id int, at date, PRIMARY KEY (at, id)) PARTITION BY RANGE (at)");
    await db.query("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')");
    await db.query("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')");
    await db.query("INSERT INTO p SELECT g, '2024-06-01'::date + g FROM generate_series(1, 400) g");
    await db.query("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent)");
    await db.query("INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)");
    await using source = openSource(db, "public.(p\\d*|parent)");
    const [whole, parent, ...others] = await offeredSchemas(source);
    expect([whole!.id, parent!.id, others]).toEqual(["public.p", "public.parent", []]);
    await using reader = openReader(db, "public.p");
    expect((await readChunk(reader, whole!, ALL)).rows).toHaveLength(400);
    expect((await readChunk(reader, parent!, ALL)).rows).toEqual([["1"]]);
    const { max, rowsEstimate } = await source.planner.extent(whole!, deadline());
    expect(max).toEqual(["2025-07-06", "400"]);
    expect(rowsEstimate).toBeGreaterThan(0);
  });

  it("are selected by key, whatever the key's text", async () => {
    await using db = await createDatabase(version);
    await db.query(`CREATE TABLE t (a text COLLATE "C", b int, v text, PRIMARY KEY (a, b))`);
    await db.query(
      `INSERT INTO t VALUES ('"q\\', 1, 'one'), ('{,}', 2, 'two'), ('NULL', 3, NULL), ('', 4, 'four'), ('''', 5, 'five')`,
    );
    await using source = openSource(db, "public.t");
    const [schema] = await offeredSchemas(source);
    await using reader = openReader(db, "public.t");
    const { batches } = await readChunk(reader, schema!, ALL);
    await db.query("DELETE FROM t WHERE b = 2; UPDATE t SET v = 'new' WHERE b = 1");
    const selected = batchRows(await source.selectByKey(batches[0]!, deadline()));
    expect([...selected].sort((x, y) => Number(x[1]) - Number(y[1]))).toEqual([
      ['"q\\', "1", "new"],
      ["NULL", "3", null],
      ["", "4", "four"],
      ["'", "5", "five"],
    ]);
  });
});
