import { withWarehouse } from "./compare.ts";
import { chosenDestination } from "./arguments.ts";
import { printTable } from "./terminal.ts";

/** `node dist/demo/query.js [--sink NAME] "SQL"`: asks what the demo has left, without any other program. */
const { destination, others } = chosenDestination(process.argv.slice(2));
const [sql = "show all tables"] = others;
await withWarehouse(await destination.readable(), async (warehouse) => {
  const result = await warehouse.runAndReadAll(sql);
  const rows = result.getRows().map((row) => row.map((cell) => (cell === null ? "NULL" : String(cell))));
  printTable([result.columnNames(), ...rows], (text) => text);
});
