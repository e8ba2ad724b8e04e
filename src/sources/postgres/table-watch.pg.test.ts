import { describe, expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { deadline, offeredSchemas, openSource, sourceOptions } from "../../../test/support/postgres-source.ts";
import { type TableSchema, tableId, withDefinition } from "../../core/table-schema.ts";
import { LazySession } from "./connection.ts";
import { TableWatch } from "./table-watch.ts";

/** All tables of the database as they are now, published, and watched from here on. */
class Watching implements AsyncDisposable {
  readonly tables: readonly TableSchema[];
  readonly publication: string;
  readonly #watch: TableWatch;
  readonly #sessions: LazySession;

  private constructor(tables: readonly TableSchema[], publication: string, watch: TableWatch, sessions: LazySession) {
    this.tables = tables;
    this.publication = publication;
    this.#watch = watch;
    this.#sessions = sessions;
  }

  static async open(db: TestDatabase, ...tables: readonly string[]): Promise<Watching> {
    const options = sourceOptions(db, "public.\\.*");
    await db.query(
      `CREATE PUBLICATION ${options.publicationName} FOR TABLE ${tables.join(", ")} WITH (publish_via_partition_root = true)`,
    );
    const rows = await db.query<{ relname: string; oid: number }>(
      "SELECT relname, oid FROM pg_class WHERE relname = ANY($1)",
      [tables],
    );
    await using source = openSource(db, "public.\\.*");
    const schemas = await offeredSchemas(source);
    const sessions = new LazySession(options, { statementTimeoutMs: 10_000, lockTimeoutMs: 1000 });
    const oids = new Map(rows.map(({ relname, oid }) => [tableId("public", relname), oid]));
    return new Watching(schemas, options.publicationName, new TableWatch(options, sessions, oids), sessions);
  }

  async look(tables: readonly TableSchema[] = this.tables): Promise<readonly (readonly string[])[]> {
    const stops = await this.#watch.look(tables, deadline());
    return stops.map(({ table, error }) => [table, error.code, error.message]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]();
  }
}

describe.each(["newest", "oldest"] as const)("on the %s PostgreSQL", (version) => {
  test("a table that was dropped, created again or unpublished is told once", async () => {
    await using db = await createDatabase(version);
    await db.query(
      "CREATE TABLE a(id int PRIMARY KEY); CREATE TABLE b(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY)",
    );
    await using watching = await Watching.open(db, "a", "b", "c");
    const { publication } = watching;
    expect(await watching.look()).toEqual([]);
    await db.query(`DROP TABLE a; CREATE TABLE a(id int PRIMARY KEY); ALTER PUBLICATION ${publication} ADD TABLE a`);
    await db.query(`ALTER PUBLICATION ${publication} DROP TABLE b`);
    const gone = expect.stringContaining("was dropped, or taken out of publication");
    expect(await watching.look()).toEqual([
      ["public.a", "TABLE_UNPUBLISHED", gone],
      ["public.b", "TABLE_UNPUBLISHED", gone],
    ]);
    expect(await watching.look()).toEqual([]);
  });

  test("a table that another one took the name of, or that went to another schema, is told with its new name", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t(id int PRIMARY KEY); CREATE TABLE t_new(id int PRIMARY KEY); CREATE SCHEMA s");
    await db.query(
      "CREATE TABLE parts(id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE p0 PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    );
    await using watching = await Watching.open(db, "t", "parts");
    expect(await watching.look()).toEqual([]);
    // A partition's name is nobody's business: the table is delivered as one.
    await db.query("ALTER TABLE p0 RENAME TO p0_old");
    expect(await watching.look()).toEqual([]);
    await db.query("BEGIN; ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT");
    await db.query("ALTER TABLE parts SET SCHEMA s");
    expect(await watching.look()).toEqual([
      ["public.parts", "TABLE_UNPUBLISHED", expect.stringContaining("public.parts was renamed to s.parts")],
      ["public.t", "TABLE_UNPUBLISHED", expect.stringContaining("public.t was renamed to public.t_old")],
    ]);
    expect(await watching.look()).toEqual([]);
  });

  test("the last column of a table, dropped and added again, is told; one that was only added or dropped is not", async () => {
    await using db = await createDatabase(version);
    for (const table of ["added", "dropped", "again"])
      await db.query(`CREATE TABLE ${table}(id int PRIMARY KEY, v text)`);
    await using watching = await Watching.open(db, "added", "dropped", "again");
    await db.query("ALTER TABLE added ADD COLUMN w text; ALTER TABLE dropped DROP COLUMN v");
    expect(await watching.look()).toEqual([]);
    await db.query("ALTER TABLE again DROP COLUMN v, ADD COLUMN v text DEFAULT 'new'");
    // The record of an earlier version does not tell one column from the other.
    expect(await watching.look(watching.tables.map((table) => withDefinition(table, undefined)))).toEqual([]);
    expect(await watching.look()).toEqual([["public.again", "SCHEMA_CHANGED", expect.stringContaining("column v")]]);
    expect(await watching.look()).toEqual([]);
  });
});
