import { expect, test } from "vitest";
import { RULES } from "../../../test/support/postgres-source.ts";
import { MillraceError } from "../../core/errors.ts";
import { tableId, type TableSchema } from "../../core/table-schema.ts";
import { followShape } from "./schema.ts";

const column = { type: { kind: "text" } as const, nullable: true, collation: null, existingRowsDefault: null };
const known: TableSchema = {
  id: tableId("s", "t"),
  namespace: "s",
  name: "t",
  version: 1,
  columns: ["id", "note", "rest"].map((name) => ({ ...column, name, sourceType: "text" })),
  key: [0],
};
const shape = (...names: string[]): { name: string; sourceType: string }[] =>
  names.map((name) => ({ name, sourceType: "text" }));

test("a column that was dropped and added again under its name and type is another one", () => {
  expect(followShape(known, shape("id", "note", "rest"), null, RULES)).toBe(known);
  const followed = followShape(known, shape("id", "rest", "note"), null, RULES);
  expect(followed).toBeInstanceOf(MillraceError);
  expect(followed).toMatchObject({ code: "SCHEMA_CHANGED", message: expect.stringContaining("column note") });
});
