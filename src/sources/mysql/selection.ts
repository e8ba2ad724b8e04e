import type { ChangeBatch } from "../../core/change-batch.ts";
import type { KeyBound } from "../../core/chunk.ts";
import type { Column } from "../../core/column.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import { keyColumns, type ColumnSchema, type TableSchema } from "../../core/table-schema.ts";
import { isLossyCharset } from "./charset/charset.ts";
import { cellText } from "./cell-text.ts";
import { mysqlType } from "./key-condition.ts";
import type { MysqlType } from "./mysql-type.ts";
import { quoteName } from "./sql-text.ts";

/** Any SET of 64 members fits. */
const INDEX_TYPE: LogicalType = { kind: "decimal", precision: 20, scale: 0 };

/**
 * The expression of table `t` whose value is the column's, exactly. A decimal has padding zeros of ZEROFILL no more as soon as
 * one calculates with it. `BIT(1)` is a byte, and a number then. A key's text that another key's may become the same as is null,
 * which no key is.
 */
function selectExpression(column: ColumnSchema, isKey: boolean): string {
  const name = `t.${quoteName(column.name)}`;
  const type = mysqlType(column);
  if (isKey && ["char", "varchar", "text"].includes(type.name) && isLossyCharset(type.charset ?? "binary"))
    return `IF(CAST(CONVERT(CONVERT(${name} USING utf8mb4) USING ${type.charset}) AS BINARY) = CAST(${name} AS BINARY), ${name}, NULL)`;
  const isPadded = type.name === "decimal" && /\bzerofill\b/.test(column.sourceType);
  if (isPadded || (type.name === "bit" && column.type.kind === "bool")) return `${name} + 0`;
  return name;
}

/** What is selected of a table, how it is decoded, and how a key's bound is found in it. */
export interface Selection {
  /** As it is decoded: the table's columns; behind them, for each ENUM and SET of the key, the number it is ordered by. */
  readonly schema: TableSchema;
  readonly list: string;
  boundOf(columns: readonly Column[], row: number): KeyBound;
}

export function selectionOf(schema: TableSchema): Selection {
  const columns = [...schema.columns];
  const expressions = schema.columns.map((column, place) => selectExpression(column, schema.key.includes(place)));
  const places = schema.key.map((place) => {
    const column = schema.columns[place]!;
    const { name } = mysqlType(column);
    if (name !== "enum" && name !== "set") return place;
    columns.push({ ...column, type: INDEX_TYPE });
    return expressions.push(`CAST(t.${quoteName(column.name)} AS UNSIGNED)`) - 1;
  });
  return {
    schema: { ...schema, columns },
    list: expressions.join(", "),
    boundOf: (decoded, row) => places.map((place) => cellText(decoded[place]!, row)),
  };
}

/** Of a table its key alone. */
export function keySelectionOf(schema: TableSchema): Selection {
  return selectionOf({ ...schema, columns: keyColumns(schema), key: schema.key.map((_, i) => i) });
}

/** The bounds that are equal to the keys of a batch. */
export function keyBoundsOf({ schema, columns, length }: ChangeBatch): readonly KeyBound[] {
  const types = keyColumns(schema).map(mysqlType);
  return Array.from({ length }, (_, row) =>
    schema.key.map((place, i) => boundText(types[i]!, cellText(columns[place]!, row))),
  );
}

/** ENUM and SET come as text, and stand in a bound as the number they are ordered by. */
function boundText(type: MysqlType, text: string): string {
  if (type.name === "enum") return String(type.members.indexOf(text) + 1);
  if (type.name !== "set") return text;
  const chosen = text.split(",").filter((member) => member !== "");
  return String(chosen.reduce((mask, member) => mask | (1n << BigInt(type.members.indexOf(member))), 0n));
}
