import { describe, expect, test } from "vitest";
import { tableId } from "../../core/table-schema.ts";
import { createDatabase } from "../../../test/support/postgres.ts";
import { sourceOptions } from "../../../test/support/postgres-source.ts";
import { LazySession } from "./connection.ts";
import { TableWatch } from "./table-watch.ts";

describe.each(["newest", "oldest"] as const)("on the %s PostgreSQL", (version) => {
  test("a table that was dropped, created again or unpublished is told once", async () => {
    await using db = await createDatabase(version);
    await db.query(
      "CREATE TABLE a(id int PRIMARY KEY); CREATE TABLE b(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY)",
    );
    const options = sourceOptions(db, "public.\\.*");
    await db.query(`CREATE PUBLICATION ${options.publicationName} FOR TABLE a, b, c`);
    const rows = await db.query<{ relname: string; oid: number }>(
      "SELECT relname, oid FROM pg_class WHERE relname IN ('a', 'b', 'c')",
    );
    await using sessions = new LazySession(options, { statementTimeoutMs: 10_000, lockTimeoutMs: 1000 });
    const oids = new Map(rows.map(({ relname, oid }) => [tableId("public", relname), oid]));
    const watch = new TableWatch(options, sessions, oids);
    const { signal } = new AbortController();

    expect(await watch.look(signal)).toEqual([]);
    await db.query(
      `DROP TABLE a; CREATE TABLE a(id int PRIMARY KEY); ALTER PUBLICATION ${options.publicationName} ADD TABLE a`,
    );
    await db.query(`ALTER PUBLICATION ${options.publicationName} DROP TABLE b`);
    const stops = await watch.look(signal);
    expect(stops.map((stop) => [stop.table, stop.error.code])).toEqual([
      ["public.a", "TABLE_UNPUBLISHED"],
      ["public.b", "TABLE_UNPUBLISHED"],
    ]);
    expect(await watch.look(signal)).toEqual([]);
  });
});
