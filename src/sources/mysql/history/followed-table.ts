import { MillraceError } from "../../../core/errors.ts";
import type { ColumnSchema, TableSchema } from "../../../core/table-schema.ts";
import { addedValue } from "./added-value.ts";
import type { AlteredColumn, AlteredTable } from "./altered-definition.ts";
import { columnDifference, keepsComputed } from "./followed-column.ts";
import { columnType, type MysqlTypeRules, parseMysqlType } from "../mysql-type.ts";
import { changedError } from "../schema.ts";
import type { TableDefinition } from "./table-definition.ts";

/** How an alteration treats values that do not fit: as an error, or it changes them and logs no row. */
export interface AlterationTerms {
  readonly strict: boolean;
  /** MariaDB's ALTER IGNORE: rows that are in the way of a key go. */
  readonly ignore: boolean;
  /** Where in the log it stands. */
  readonly position: string;
}

/**
 * The columns of a table behind an alteration, where the rows that were there need no more than what the schema says;
 * else the error that stops the table.
 */
export function followAlteration(
  schema: TableSchema,
  before: TableDefinition,
  altered: AlteredTable,
  terms: AlterationTerms,
  rules: MysqlTypeRules,
): readonly ColumnSchema[] | MillraceError {
  const changed = (what: string): MillraceError => changedError(schema.id, what, terms.position);
  const [key, keyNow] = [before, altered.definition].map((definition) => definition.key?.columns ?? []);
  if (keyNow!.join("\0") !== key!.join("\0")) return changed("its key is another one");
  if (altered.unique && terms.ignore) return changed("rows were left out to make others unique");
  const hasComputed = altered.columns.some(({ column }) => column.generated);
  const columns: ColumnSchema[] = [];
  for (const column of schema.columns) {
    const now = altered.columns.find((one) => one.before?.name === column.name);
    if (now === undefined) {
      const again = altered.columns.some((one) => one.column.name === column.name);
      return changed(`column ${column.name} was dropped${again ? " and added again" : " "}`.trim());
    }
    if (now.column.name !== column.name) return changed(`column ${column.name} was renamed to ${now.column.name}`);
    const difference = alteredDifference(now, key!.includes(column.name), terms, rules);
    if (difference !== null) return changed(`column ${column.name} ${difference}`);
    if (hasComputed && !keepsComputed(now.before ?? now.column, now.column))
      return changed(`column ${column.name} became another, and the table has columns that may be computed from it`);
    const { sourceType, collation } = now.column;
    const same = sourceType === column.sourceType && collation === column.collation;
    columns.push(same ? column : { ...column, sourceType, collation });
  }
  for (const one of altered.columns) {
    if (one.before !== null) continue;
    const added = addedColumn(schema, one, rules, terms.position);
    if (added instanceof MillraceError) return added;
    columns.push(added);
  }
  return columns;
}

/** Null: its values are the same. */
function alteredDifference(
  { before, column, written }: AlteredColumn,
  inKey: boolean,
  terms: AlterationTerms,
  rules: MysqlTypeRules,
): string | null {
  if (before === null) return null;
  if (before.generated !== column.generated || (written !== null && column.generated)) return "is computed otherwise";
  const isSame = before.sourceType === column.sourceType && before.collation === column.collation;
  if (inKey && !isSame) return `of its key became ${column.sourceType} ${column.collation ?? ""}`.trim();
  const canBeNull = before.nullable !== false && column.nullable === false;
  if (canBeNull && (!terms.strict || terms.ignore)) return "became NOT NULL, and what its NULLs became is not logged";
  return columnDifference(before, column, rules);
}

function addedColumn(
  { id }: TableSchema,
  { column, written }: AlteredColumn,
  rules: MysqlTypeRules,
  position: string,
): ColumnSchema | MillraceError {
  const { name, sourceType, collation } = column;
  const mysqlType = parseMysqlType(sourceType, collation);
  if (mysqlType === null)
    return new MillraceError(
      "TABLE_NOT_SUPPORTED",
      `column ${name} was added to table ${id} with a type that is not known: ${sourceType}`,
      { place: { table: id, position } },
    );
  const type = columnType(mysqlType, rules);
  const value = written === null ? undefined : addedValue(written, column, type);
  if (value === undefined)
    return new MillraceError(
      "DDL_UNCLEAR",
      `column ${name} was added to table ${id}, and the log does not tell which values the rows before it got`,
      { place: { table: id, position } },
    );
  return { name, type, nullable: true, sourceType, collation, existingRowsDefault: value };
}
