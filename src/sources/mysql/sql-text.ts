import type { ColumnSchema } from "../../core/table-schema.ts";

/** As the servers quote an identifier. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** Qualified and quoted, for a statement. */
export function tableName(schema: { readonly namespace: string; readonly name: string }): string {
  return `${quoteName(schema.namespace)}.${quoteName(schema.name)}`;
}

/** Our sessions read a backslash as an escape. A NUL would do as it is, but is not to be seen in a log. */
export function quoteText(text: string): string {
  return `_utf8mb4'${text.replaceAll("\\", "\\\\").replaceAll("'", "''").replaceAll("\0", "\\0")}'`;
}

/** The columns as table `t` has them, each followed by `suffix`. */
export function columnList(columns: readonly ColumnSchema[], suffix = ""): string {
  return columns.map((column) => `t.${quoteName(column.name)}${suffix}`).join(", ");
}
