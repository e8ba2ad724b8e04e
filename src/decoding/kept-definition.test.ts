import { expect, test } from "vitest";
import { tableId, type TableSchema } from "../core/table-schema.ts";
import { KeptDefinition } from "./kept-definition.ts";

const schema: TableSchema = {
  id: tableId("s", "t"),
  namespace: "s",
  name: "t",
  version: 1,
  columns: [],
  key: [],
};

test("what a schema keeps is read once, and is damaged where it is no definition", () => {
  let reads = 0;
  const lists = new KeptDefinition((definition) => {
    reads++;
    return Array.isArray(definition) ? (definition as unknown[]) : null;
  });
  expect(lists.of(schema)).toBeNull();
  expect(reads).toBe(0);
  const defined = { ...schema, definition: [1, 2] };
  expect(lists.of(defined)).toEqual([1, 2]);
  expect(lists.of(defined)).toBe(lists.of(defined));
  expect(reads).toBe(1);
  expect(() => lists.of({ ...schema, definition: "[1, 2]" })).toThrow(
    expect.objectContaining({ code: "RECORD_DAMAGED", place: { table: "s.t" } }),
  );
});
