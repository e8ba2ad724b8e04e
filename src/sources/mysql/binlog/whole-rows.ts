import { MillraceError } from "../../../core/errors.ts";
import { tableId, type TableSchema } from "../../../core/table-schema.ts";
import type { CatalogTable } from "../catalog.ts";
import type { ServerFacts } from "../server-facts.ts";

/** Images of rows that have all columns; MariaDB's FULL_NODUP leaves out of the new one what the old one has. */
const WHOLE_IMAGES = ["FULL", "FULL_NODUP"];

/** The settings that leave parts of a table's rows out of the log, as they should be. */
function wholeRowSettings(
  table: CatalogTable,
  facts: ServerFacts,
): readonly (readonly [name: string, value: string])[] {
  const isPartial = !WHOLE_IMAGES.includes(facts.rowImage);
  const hasJson = table.columns.some(({ sourceType }) => sourceType === "json");
  const isPartialJson = hasJson && facts.rowValueOptions !== "";
  return [
    ...(isPartial ? ([["binlog_row_image", "'FULL'"]] as const) : []),
    ...(isPartialJson ? ([["binlog_row_value_options", "''"]] as const) : []),
  ];
}

/** Why a table without a key cannot be delivered: its rows are known by all that they have. Null: it can. */
export function partialRowsRefusal(table: CatalogTable, facts: ServerFacts): MillraceError | null {
  const settings = wholeRowSettings(table, facts);
  if (settings.length === 0) return null;
  const id = tableId(table.namespace, table.name);
  const scope = facts.flavour === "mysql" ? "PERSIST" : "GLOBAL";
  const statements = settings.map(([name, value]) => `\`SET ${scope} ${name} = ${value}\``).join(" and ");
  const names = settings.map(([name]) => name).join(" and ");
  return new MillraceError(
    "TABLE_NO_IDENTITY",
    `${id} has no key, and ${names} keeps parts of its rows out of the log`,
    {
      hint: `Run ${statements} (sessions that are open go on with the old value), give the table a primary key, or leave it out with \`tables.exclude\`.`,
      place: { table: id },
    },
  );
}

/** An INSERT that leaves a column of the key to its default, in an image of what the statement gave alone. */
export function lackedKeyError({ id, columns }: TableSchema, column: number, position: string): MillraceError {
  return new MillraceError(
    "TABLE_NO_IDENTITY",
    `${id}: a row inserted at ${position} does not have its key column ${columns[column]!.name} in the log`,
    {
      hint: `Have every session write whole rows: \`SET GLOBAL binlog_row_image = 'FULL'\` (sessions that are open go on with the old value). Then begin it anew with \`millrace run FILE --resnapshot ${id}\`.`,
      place: { table: id, position },
    },
  );
}

/** A session of the application has settings of its own, or had them before ours were looked at. */
export function partialRowError({ id, columns }: TableSchema, column: number, position: string): MillraceError {
  return new MillraceError(
    "TABLE_NO_IDENTITY",
    `${id} has no key, and a change at ${position} does not have all of its row in the log (column ${columns[column]!.name})`,
    {
      hint: `Have every session write whole rows: \`SET GLOBAL binlog_row_image = 'FULL'\`, and on MySQL \`SET GLOBAL binlog_row_value_options = ''\`; or give the table a primary key. Then begin it anew with \`millrace run FILE --resnapshot ${id}\`.`,
      place: { table: id, position },
    },
  );
}
