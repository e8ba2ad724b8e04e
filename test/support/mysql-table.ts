import type { Connection } from "mysql2/promise";
import type { TestMysqlDatabase } from "./mysql.ts";
import { type Cell, plainFloat, type TextTable } from "./text-table.ts";

interface Column {
  readonly name: string;
  readonly type: string;
  readonly columnType: string;
  readonly key: string;
}

const BYTES =
  /^((var)?binary|(tiny|medium|long)?blob|geometry|(multi)?(point|linestring|polygon)|geom.*collection|vector)$/;

/** A table of MySQL or MariaDB as it is now, its values in the text that DuckDB prints for them. */
export async function mysqlTable(source: TestMysqlDatabase, table: string): Promise<TextTable> {
  const client: Connection = await source.client();
  try {
    await client.query("SET time_zone = '+00:00'");
    const [found] = await client.query(
      `SELECT COLUMN_NAME AS name, DATA_TYPE AS type, COLUMN_TYPE AS columnType, COLUMN_KEY AS \`key\`
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
      [source.database, table],
    );
    const columns = found as Column[];
    const list = columns.map((column) => `${columnText(column)} AS \`${column.name}\``);
    const [rows] = await client.query({
      sql: `SELECT ${list.join(", ")} FROM \`${table}\``,
      rowsAsArray: true,
      // Its own numbers are not always the nearest ones.
      typeCast: (field) => field.string("utf8"),
    });
    return {
      columns: columns.map(({ name }) => name),
      key: columns.filter(({ key }) => key === "PRI").map(({ name }) => name),
      rows: (rows as Cell[][]).map((row) => row.map((cell, i) => plain(cell, columns[i]!.type))),
    };
  } finally {
    await client.end();
  }
}

function columnText({ name, type, columnType }: Column): string {
  const column = `\`${name}\``;
  if (BYTES.test(type)) return `LOWER(HEX(${column}))`;
  if (columnType === "tinyint(1)" || columnType === "bit(1)") return `ELT(1 + ${column}, 'false', 'true')`;
  const [, bits] = /^bit\((\d+)\)$/.exec(columnType) ?? [];
  if (bits !== undefined) return `LPAD(LOWER(HEX(${column} + 0)), ${Math.ceil(Number(bits) / 8) * 2}, '0')`;
  if (type === "year") return `CAST(${column} + 0 AS CHAR)`;
  // Printed as it is, a float has six digits; and a cast to text loses some of a double's.
  if (type === "float" || type === "double") return `${column} * 1e0`;
  if (type === "timestamp") return `CONCAT(${column}, '+00')`;
  return `CAST(${column} AS CHAR)`;
}

/** DuckDB prints no zeros at the end of a second's fraction. */
function plain(cell: Cell, type: string): Cell {
  if (["datetime", "timestamp", "time"].includes(type) && cell !== null)
    return cell.replace(/(\.[0-9]*?)0+(\+|$)/, (_, digits: string, end: string) =>
      digits === "." ? end : digits + end,
    );
  return plainFloat(cell, type === "float" ? 32 : type === "double" ? 64 : null);
}
