import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CORPUS_ALTERS,
  CORPUS_BASE,
  CORPUS_CREATES,
  CORPUS_NOT_UNDERSTOOD,
  CORPUS_OTHERS,
  type CorpusStatement,
} from "../../../../test/support/ddl-corpus.ts";
import { alterDefinition, createdDefinition } from "../history/altered-definition.ts";
import { type DdlRules, ddlRules, type SqlModes } from "./rules.ts";
import { parseStatement, type ShapeChange } from "./statement.ts";
import type { TableDefinition } from "../history/table-definition.ts";

const MODES: SqlModes = {
  ansiQuotes: false,
  backslashIsPlain: false,
  realAsFloat: false,
  strict: true,
  otherDialect: false,
};
const RULES = { mysql: ddlRules("mysql", 90_704, MODES), mariadb: ddlRules("mariadb", 110_809, MODES) };

function shapes(sql: string, rules: DdlRules): readonly ShapeChange[] | null {
  const statement = parseStatement(sql, rules);
  return statement.kind === "ddl" ? statement.shapes : null;
}

/** How many shapes are understood, and how many are not. */
function counts(statements: readonly CorpusStatement[]): readonly [understood: number, not: number] {
  let understood = 0;
  let not = 0;
  for (const { on, sql } of statements)
    for (const flavour of ["mysql", "mariadb"] as const) {
      if (on !== "both" && on !== flavour) continue;
      for (const shape of shapes(sql, RULES[flavour]) ?? [])
        if (shape.kind === "alter" ? shape.alterations === null : shape.kind === "create" && shape.creation === null)
          not++;
        else understood++;
    }
  return [understood, not];
}

/** The base table with the columns that it needs to show how a default is understood. */
function definitionOf(sql: string, rules: DdlRules): TableDefinition {
  const [shape] = shapes(sql, rules) ?? [];
  const creation = shape?.kind === "create" ? shape.creation : null;
  if (creation?.kind !== "written") throw new Error(`not understood: ${sql}`);
  const definition = createdDefinition(creation.alterations, rules);
  if (typeof definition === "string") throw new Error(definition);
  return definition;
}

function columnsBehind(sql: string, rules: DdlRules = RULES.mysql): readonly string[] | string {
  const [shape] = shapes(sql, rules) ?? [];
  if (shape?.kind !== "alter" || shape.alterations === null) return "not understood";
  const altered = alterDefinition(definitionOf(CORPUS_BASE, rules), shape.alterations, rules);
  return typeof altered === "string" ? altered : altered.definition.columns.map(({ name }) => name);
}

describe("the statements of the corpus", () => {
  it("that make or alter a table are all understood", () => {
    expect(CORPUS_CREATES.length + CORPUS_ALTERS.length).toBeGreaterThan(200);
    expect(counts(CORPUS_CREATES)[1]).toBe(0);
    expect(counts(CORPUS_ALTERS)[1]).toBe(0);
  });

  it("that are something else are not taken for it", () => {
    expect(counts(CORPUS_NOT_UNDERSTOOD)[0]).toBe(0);
    for (const { sql } of CORPUS_OTHERS)
      expect({ sql, shapes: shapes(sql, RULES.mysql) ?? [] }).toEqual({ sql, shapes: [] });
  });

  it("are not understood in another dialect", () => {
    const oracle = { ...RULES.mariadb, otherDialect: true };
    expect(shapes("ALTER TABLE t ADD n number", oracle)).toMatchObject([{ kind: "alter", alterations: null }]);
  });
});

describe("an alteration", () => {
  it("goes by the session's SQL mode", () => {
    const ansi = { ...RULES.mysql, ansiQuotes: true };
    expect(columnsBehind('ALTER TABLE t ADD "n" int FIRST, DROP "a"', ansi)).toEqual([
      ..."n,id,b,c,d,e,f,g,h".split(","),
    ]);
    expect(columnsBehind('ALTER TABLE t ADD "n" int')).toBe("not understood");
    const plain = { ...RULES.mysql, backslashIsPlain: true };
    expect(columnsBehind("ALTER TABLE t ADD n int COMMENT 'a\\', DROP a", plain)).not.toContain("a");
    expect(columnsBehind("ALTER TABLE t ADD n int COMMENT 'a\\', DROP a', DROP b")).toContain("a");
    const real = { ...RULES.mysql, realAsFloat: true };
    expect(definitionOf("CREATE TABLE t (a real)", real).columns[0]!.sourceType).toBe("float");
  });

  it.each([
    ["ALTER TABLE t DROP KEY Ux", null],
    ["ALTER TABLE t DROP CONSTRAINT IF EXISTS ux, ADD n int", null],
    ["ALTER TABLE t RENAME INDEX `ux` TO other", null],
    ["DROP INDEX ux ON t", null],
    ["ALTER TABLE t DROP a", null],
    ["ALTER TABLE t ADD PRIMARY KEY (b, a)", { index: "PRIMARY", columns: ["b", "a"] }],
    ["ALTER TABLE t ADD PRIMARY KEY (b(3))", null],
    ["ALTER TABLE t DROP INDEX other, CHANGE a n int", { index: "ux", columns: ["n"] }],
    ["ALTER TABLE t ADD UNIQUE (b)", { index: "ux", columns: ["a"] }],
  ] as const)("%s leaves a table that has a unique index for its key the key %j", (sql, key) => {
    const [shape] = shapes(sql, RULES.mariadb) ?? [];
    if (shape?.kind !== "alter" || shape.alterations === null) throw new Error("not understood");
    const table = {
      ...definitionOf("CREATE TABLE t (a int, b blob)", RULES.mariadb),
      key: { index: "ux", columns: ["a"] },
    };
    expect(alterDefinition(table, shape.alterations, RULES.mariadb)).toMatchObject({ definition: { key } });
  });

  it("that does not fit the table says so", () => {
    expect(columnsBehind("ALTER TABLE t DROP nothing")).toBe("there is no column nothing");
    expect(columnsBehind("ALTER TABLE t ADD a int")).toBe("there is a column a already");
    expect(columnsBehind("ALTER TABLE t ADD n int AFTER nothing")).toBe("there is no column to put n behind");
    expect(columnsBehind("ALTER TABLE t ADD n varchar(60000)")).toBe("column n is too long for its type");
  });

  it("is understood or not, whatever it is, and in time", () => {
    const statements = [...CORPUS_CREATES, ...CORPUS_ALTERS, ...CORPUS_NOT_UNDERSTOOD].map(({ sql }) => sql);
    const pieces = statements.flatMap((sql) => sql.split(/(?<=\W)|(?=\W)/));
    const mutated = fc
      .tuple(
        fc.constantFrom(...statements),
        fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...pieces)), { maxLength: 4 }),
      )
      .map(([sql, changes]) => {
        const words = sql.split(/(?<=\W)|(?=\W)/);
        for (const [at, remove, piece] of changes) words.splice(at % (words.length + 1), remove, piece);
        return words.join("");
      });
    fc.assert(
      fc.property(mutated, fc.constantFrom("mysql", "mariadb"), (sql, flavour) => {
        const rules = RULES[flavour];
        for (const shape of shapes(sql, rules) ?? []) {
          if (shape.kind === "create" && shape.creation?.kind === "written")
            createdDefinition(shape.creation.alterations, rules);
          if (shape.kind === "alter" && shape.alterations !== null)
            alterDefinition(definitionOf(CORPUS_BASE, rules), shape.alterations, rules);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it("of any length takes no more than its length of time", () => {
    for (const piece of ["(", "ADD (", "ADD n int DEFAULT (", ", ADD n int", "SET STATEMENT a=1 FOR ", "/*!", "((1)"])
      expect(shapes(`ALTER TABLE t ADD n int ${piece.repeat(50_000)}`, RULES.mariadb) ?? []).toBeInstanceOf(Array);
    expect(shapes(`${"SET STATEMENT a=1 FOR ".repeat(50_000)} ALTER TABLE t FORCE`, RULES.mariadb)).toHaveLength(1);
  });
});
