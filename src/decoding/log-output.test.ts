import { expect, test } from "vitest";
import { tableId, type TableSchema } from "../core/table-schema.ts";
import { LogOutput } from "./log-output.ts";
import type { Position, Transaction } from "../core/position.ts";
import { TableLog } from "./table-log.ts";

function schemaOf(name: string, version: number): TableSchema {
  return { id: tableId("s", name), namespace: "s", name, version, columns: [], key: [] };
}

/** Transactions are numbered, and a position is a number. */
function position(reached: number): Position {
  const numberOf = (other: Position): number => Number(other.serialize());
  return {
    has: ({ id }) => Number(id) < reached,
    covers: (other) => numberOf(other) <= reached,
    meet: (other) => position(Math.min(numberOf(other), reached)),
    serialize: () => reached,
  };
}

test("no epoch can end between two schema changes of one transaction", () => {
  const output = new LogOutput(position(1), { batchBytesMax: 1 << 20, flushRows: 1e6 });
  const kinds = (): string[] => output.take().map(({ kind }) => kind);
  for (const id of [2, 4]) {
    const transaction: Transaction = { id: String(id), commitTimeMs: 0 };
    output.begin();
    for (const name of ["a", "b"])
      expect(output.changeSchema(new TableLog(schemaOf(name, 1)), schemaOf(name, 2), transaction)).toBe(true);
    output.commit(position(id + 1), 0);
    output.flush();
    expect(kinds()).toEqual(["progress", "schema", "schema", "progress"]);
  }
});
