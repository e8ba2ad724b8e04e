import type { TestDatabase } from "./postgres.ts";
import { TYPE_CASES, TYPE_CASES_SETUP } from "./postgres-type-cases.ts";

/** So many share a table, since a sink may need memory for each column that is written. */
const COLUMNS = 20;

/** Tables that have a column of every type that the server knows, with the values that the sink can hold. */
export async function createTypeTables(
  db: TestDatabase,
  holdable: (type: string, value: string) => boolean,
): Promise<readonly string[]> {
  await db.query(TYPE_CASES_SETUP);
  await db.query("DROP TABLE mood_table");
  const [{ version } = { version: 0 }] = await db.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int / 10000 AS version",
  );
  // Of `reg…` types the names depend on the search path.
  const known = TYPE_CASES.filter(({ type, since = 0 }) => !type.startsWith("reg") && since <= version).map(
    ({ type, values }, i) => ({ type, name: `c${i}`, values: values.filter((value) => holdable(type, value)) }),
  );
  const tables: string[] = [];
  for (let first = 0; first < known.length; first += COLUMNS) {
    const cases = known.slice(first, first + COLUMNS);
    const table = `types_${first}`;
    tables.push(table);
    await db.query(
      `CREATE TABLE ${table} (id int PRIMARY KEY, ${cases.map(({ name, type }) => `${name} ${type}`).join(", ")})`,
    );
    const rows = Math.max(...cases.map(({ values }) => values.length));
    for (let i = 0; i < rows; i++) {
      const cells = cases.map(({ type, values }) =>
        values[i] === undefined ? "NULL" : `CAST(${values[i]} AS ${type})`,
      );
      await db.query(`INSERT INTO ${table} VALUES (${i}, ${cells.join(", ")})`);
    }
  }
  return tables;
}

/** The same values once more, by the log: in new rows, and in some that get another key. */
export async function changeTypeTables(db: TestDatabase, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    await db.query(
      `CREATE TEMP TABLE again AS TABLE ${table}; UPDATE again SET id = id + 1000; INSERT INTO ${table} TABLE again; DROP TABLE again`,
    );
    await db.query(`UPDATE ${table} SET id = id + 5000 WHERE id < 3`);
  }
}
