import { expect, test } from "vitest";
import { absent, batch, column, table } from "../../test/conformance/batch.ts";
import { rowsNote } from "./window.ts";

const COLUMNS = [column("id", { kind: "int", bits: 64 }), column("name", { kind: "text" })];

test("a window keeps no rows as they were, though it keeps what an update knows of its row", () => {
  const keyed = table("t", COLUMNS, [0]);
  const changes = [
    { op: "update", cells: [1n, absent], before: [1n, "as it was"] },
    { op: "delete", cells: [2n, absent], before: [2n, "as it was"] },
  ] as const;
  const partial = batch(keyed, changes);
  const note = rowsNote(partial);
  expect(note.batch?.columns).toBe(partial.columns);
  expect(note.batch?.before).toBeNull();
  expect(note.bytes).toBe(rowsNote({ ...partial, before: null }).bytes);
  expect(rowsNote(batch(keyed, changes.slice(1))).batch).toBeNull();
});

test("what a table without a key has waiting keeps them, and their bytes count", () => {
  const plain = batch(table("t", COLUMNS, []), [{ op: "delete", cells: [1n, "x"], before: [1n, "x"] }]);
  const note = rowsNote(plain);
  expect(note.batch).toBe(plain);
  expect(note.bytes).toBeGreaterThan(rowsNote({ ...plain, before: null }).bytes);
});
