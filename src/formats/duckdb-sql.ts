import { MillraceError } from "../core/errors.ts";
import type { LogicalType } from "../core/logical-type.ts";
import type { ColumnSchema } from "../core/table-schema.ts";

/** A string literal: `'` doubled and around. DuckDB knows no backslash escapes in it. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** DuckDB's name of the type a logical type is stored as. Lossless for every value a batch can hold. */
export function duckdbType(type: LogicalType): string {
  switch (type.kind) {
    case "bool":
      return "BOOLEAN";
    case "int":
      return type.bits === 16 ? "SMALLINT" : type.bits === 32 ? "INTEGER" : "BIGINT";
    case "float":
      return type.bits === 32 ? "FLOAT" : "DOUBLE";
    case "decimal":
      return `DECIMAL(${type.precision},${type.scale})`;
    case "text":
      return "VARCHAR";
    case "json":
      return "JSON";
    case "bytes":
      return "BLOB";
    case "uuid":
      return "UUID";
    case "date":
      return "DATE";
    case "time":
      return "TIME";
    case "timestamp":
      return type.zone ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
  }
}

/**
 * The value rows written before the column have, as an expression of the column's type. The source's text form is
 * DuckDB's too, but for bytes (`\x00ff`) and for years before Christ, which DuckDB would silently take for years after.
 */
export function existingRowsDefault(column: ColumnSchema): string {
  const text = column.existingRowsDefault;
  const type = duckdbType(column.type);
  if (text === null) return `CAST(NULL AS ${type})`;
  if (column.type.kind === "bytes") {
    if (!text.startsWith("\\x"))
      throw new MillraceError("INTERNAL", `the default of column ${column.name} is not in the hex form of bytes`);
    return `from_hex(${quoteText(text.slice(2))})`;
  }
  if (column.type.kind === "date" || column.type.kind === "timestamp")
    return `CAST(${quoteText(text.replace(/ BC$/, " (BC)"))} AS ${type})`;
  return `CAST(${quoteText(text)} AS ${type})`;
}
