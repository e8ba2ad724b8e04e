import { expect, test } from "vitest";
import { tableId, type TableSchema } from "../../core/table-schema.ts";
import { LogOutput } from "./log-output.ts";
import { pgLsn, PgPosition, PgTransaction, xid64 } from "./position.ts";
import { TableLog } from "./table-log.ts";

function schemaOf(name: string, version: number): TableSchema {
  return { id: tableId("s", name), namespace: "s", name, version, columns: [], key: [] };
}

test("no epoch can end between two schema changes of one transaction", () => {
  const output = new LogOutput(new PgPosition(pgLsn(1n)), { batchBytesMax: 1 << 20, flushRows: 1e6 });
  const kinds = (): string[] => output.take().map(({ kind }) => kind);
  for (const lsn of [2n, 4n]) {
    const transaction = new PgTransaction(xid64(lsn), pgLsn(lsn), 0);
    output.begin();
    for (const name of ["a", "b"])
      expect(output.changeSchema(new TableLog(schemaOf(name, 1)), schemaOf(name, 2), transaction)).toBe(true);
    output.commit(new PgPosition(pgLsn(lsn + 1n)), 0);
    output.flush();
    expect(kinds()).toEqual(["progress", "schema", "schema", "progress"]);
  }
});
