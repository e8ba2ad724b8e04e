import { join } from "node:path";
import { projectRoot } from "../test/support/project-root.ts";
import { withWarehouse } from "./compare.ts";
import { printTable } from "./terminal.ts";

/** `node dist/demo/query.js "SQL"`: asks the demo's warehouse, without any other program. */
const [sql = "select * from duckdb_tables()"] = process.argv.slice(2);
await withWarehouse(join(projectRoot, "demo", "warehouse.duckdb"), async (warehouse) => {
  const result = await warehouse.runAndReadAll(sql);
  const rows = result.getRows().map((row) => row.map((cell) => (cell === null ? "NULL" : String(cell))));
  printTable([result.columnNames(), ...rows], (text) => text);
});
