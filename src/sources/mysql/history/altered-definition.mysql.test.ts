import { describe, expect, it } from "vitest";
import {
  CORPUS_ALTERS,
  CORPUS_BASE,
  CORPUS_CREATES,
  type CorpusStatement,
} from "../../../../test/support/ddl-corpus.ts";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../../test/support/mysql.ts";
import { deadline, openSessions } from "../../../../test/support/mysql-source.ts";
import { addedValue } from "./added-value.ts";
import { alterDefinition, createdDefinition } from "./altered-definition.ts";
import { tableByName } from "../catalog.ts";
import { charsetOfName } from "../charset/width.ts";
import type { Session } from "../connection.ts";
import { ddlRules } from "../ddl/rules.ts";
import { parseStatement, type ShapeChange } from "../ddl/statement.ts";
import type { Flavour } from "../position.ts";
import { serverNumber } from "../ddl/sql-tokens.ts";
import { type DefinedColumn, definitionOf, type TableDefinition } from "./table-definition.ts";

/** With more digits than a decimal of the sink has; and times, which are texts by `unrepresentable-values: text`. */
const ADDED_AS_TEXT = [
  "decimal(40,4) DEFAULT 1.5",
  "decimal(40,4) DEFAULT '007.25'",
  "decimal(40,4) NOT NULL DEFAULT -3",
  "decimal(40,4) DEFAULT '-0'",
  "decimal(50,0) DEFAULT 12",
  "date DEFAULT '2024-01-01'",
  "datetime DEFAULT '2024-01-01'",
  "datetime(3) DEFAULT '2024-01-01 00:00:00'",
  "datetime(6) DEFAULT '2024-01-01 00:00:00.5'",
];

const MODES = { ansiQuotes: false, backslashIsPlain: false, realAsFloat: false, strict: true, otherDialect: false };

function on(flavour: Flavour, statements: readonly CorpusStatement[]): readonly string[] {
  return statements.filter(({ on }) => on === "both" || on === flavour).map(({ sql }) => sql);
}

function shapeOf(sql: string, session: Session): ShapeChange | undefined {
  const rules = ddlRules(session.flavour, serverNumber(session.serverVersion), MODES);
  const statement = parseStatement(sql, rules);
  return statement.kind === "ddl" ? statement.shapes[0] : undefined;
}

async function catalogDefinition(session: Session, db: TestMysqlDatabase): Promise<TableDefinition> {
  const definition = definitionOf((await tableByName(session, db.database, "t", deadline()))!);
  // Which unique index the servers take for a key, statements are not asked for.
  return definition.key?.index === "PRIMARY" ? definition : { ...definition, key: null };
}

/** What a statement leaves open is taken from the catalog, so that the rest can be compared. */
function resolved(ours: TableDefinition | string, theirs: TableDefinition): TableDefinition | string {
  if (typeof ours === "string") return ours;
  const columns = ours.columns.map((column, i) => {
    const there = theirs.columns[i];
    return there === undefined ? column : resolvedColumn(column, there);
  });
  return { ...ours, columns, collation: resolvedCollation(ours.collation, theirs.collation) };
}

function resolvedColumn(column: DefinedColumn, there: DefinedColumn): DefinedColumn {
  return {
    ...column,
    collation: resolvedCollation(column.collation, there.collation),
    nullable: column.nullable ?? there.nullable,
  };
}

/** A character set alone stands for any of its collations. */
function resolvedCollation(ours: string | null, theirs: string | null): string | null {
  return theirs !== null && ours === charsetOfName(theirs) ? theirs : ours;
}

describe.each(["mysql", "mariadb"] as const)("a table's definition by its statements (%s)", (flavour) => {
  it("is the catalog's behind every CREATE TABLE of the corpus", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using sessions = openSessions(db);
    const session = await sessions.get(deadline());
    await db.query("ALTER DATABASE ?? CHARACTER SET utf8mb4", [db.database]);
    for (const sql of on(flavour, CORPUS_CREATES)) {
      await db.query("DROP TABLE IF EXISTS t");
      await db.query(sql);
      const theirs = await catalogDefinition(session, db);
      const shape = shapeOf(sql, session);
      const rules = ddlRules(flavour, serverNumber(session.serverVersion), MODES);
      const creation = shape?.kind === "create" ? shape.creation : null;
      const written = creation?.kind === "written" ? creation.alterations : null;
      // What the database has by default is in no statement.
      const isDefault = { kind: "default-charset", charset: "utf8mb4", collation: null } as const;
      const ours = written === null ? "not understood" : createdDefinition([isDefault, ...written], rules);
      expect({ sql, table: resolved(ours, theirs) }).toEqual({ sql, table: theirs });
    }
  });

  it("is the catalog's behind every ALTER TABLE of the corpus", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using sessions = openSessions(db);
    const session = await sessions.get(deadline());
    const rules = ddlRules(flavour, serverNumber(session.serverVersion), MODES);
    for (const sql of on(flavour, CORPUS_ALTERS)) {
      await db.query("DROP TABLE IF EXISTS t");
      await db.query(CORPUS_BASE);
      const before = await catalogDefinition(session, db);
      await db.query(sql);
      const theirs = await catalogDefinition(session, db);
      const shape = shapeOf(sql, session);
      // Statements about an index have no shape to change.
      const alterations = shape === undefined ? [] : shape.kind === "alter" ? shape.alterations : null;
      const altered = alterations === null ? "not understood" : alterDefinition(before, alterations, rules);
      const ours = typeof altered === "string" ? altered : altered.definition;
      expect({ sql, table: resolved(ours, theirs) }).toEqual({ sql, table: theirs });
    }
  });

  it("says what the rows that were there have in a column that was added, to the letter, where the sink has a text", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using sessions = openSessions(db);
    const session = await sessions.get(deadline());
    const rules = ddlRules(flavour, serverNumber(session.serverVersion), MODES);
    for (const column of ADDED_AS_TEXT) {
      const sql = `ALTER TABLE t ADD c ${column}`;
      await db.query("DROP TABLE IF EXISTS t");
      await db.query("CREATE TABLE t (id int PRIMARY KEY)");
      await db.query("INSERT INTO t VALUES (1)");
      const before = await catalogDefinition(session, db);
      await db.query(sql);
      const [row] = await db.query<{ c: string }>("SELECT CAST(c AS CHAR) AS c FROM t");
      const shape = shapeOf(sql, session);
      const alterations = shape?.kind === "alter" ? shape.alterations : null;
      const altered = alterations === null ? "not understood" : alterDefinition(before, alterations, rules);
      const added = typeof altered === "string" ? undefined : altered.columns.at(-1)!;
      expect({ sql, value: added && addedValue(added.written!, added.column, { kind: "text" }) }).toEqual({
        sql,
        value: row!.c,
      });
    }
  });
});
