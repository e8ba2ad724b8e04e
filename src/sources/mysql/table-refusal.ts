import { MillraceError } from "../../core/errors.ts";
import { tableId } from "../../core/table-schema.ts";
import type { CatalogTable } from "./catalog.ts";
import { readableCharset } from "./charset/charset.ts";
import { parseMysqlType } from "./mysql-type.ts";
import { unknownColumn } from "./schema.ts";
import { logHas, type ServerFacts } from "./server-facts.ts";
import { partialRowsRefusal } from "./binlog/whole-rows.ts";

/** Engines whose snapshots are consistent, which a cut rests on. */
const TRANSACTIONAL = ["innodb", "rocksdb", "tokudb", "ndbcluster"];

/** Why the table cannot be delivered rightly, with the statement that mends it; null: it can. */
export function tableRefusal(table: CatalogTable, facts: ServerFacts): MillraceError | null {
  const id = tableId(table.namespace, table.name);
  const name = `\`${table.namespace}\`.\`${table.name}\``;
  const refused = (what: string, hint?: string): MillraceError =>
    new MillraceError("TABLE_NOT_SUPPORTED", `${id} ${what}`, {
      place: { table: id },
      ...(hint === undefined ? {} : { hint }),
    });
  if (!logHas(facts.logFilters, table.namespace))
    return new MillraceError("TABLE_NOT_LOGGED", `database ${table.namespace} is left out of the server's log`, {
      hint: "Take it out of `binlog_ignore_db`, or add it to `binlog_do_db`, in the server's configuration.",
      place: { table: id },
    });
  if (!TRANSACTIONAL.includes((table.engine ?? "").toLowerCase()))
    return refused(
      `is of engine ${table.engine ?? "unknown"}, which has no consistent snapshots`,
      `Run \`ALTER TABLE ${name} ENGINE = InnoDB\`, or leave it out with \`tables.exclude\`.`,
    );
  if (table.kind !== "BASE TABLE")
    return refused(`is a ${table.kind.toLowerCase()} table: the log has rows of it that a SELECT does not show`);
  if (table.hashedIndex !== null)
    return refused(
      `has a unique index on a long column, ${table.hashedIndex}: its hash is in the log's rows, and nowhere else`,
      `Drop the index (\`ALTER TABLE ${name} DROP INDEX ${table.hashedIndex}\`) or make it one of a prefix that fits, or leave the table out with \`tables.exclude\`.`,
    );
  const unknown = unknownColumn(table);
  if (unknown !== undefined)
    return refused(`has a column of a type that is not known: ${unknown.name} ${unknown.sourceType}`);
  const charset = table.columns.find(({ sourceType, collation }) => {
    const type = parseMysqlType(sourceType, collation);
    const charset = type?.charset ?? null;
    return charset !== null && !readableCharset(charset);
  });
  if (charset !== undefined)
    return refused(`has a column whose character set cannot be read exactly: ${charset.name} (${charset.collation})`);
  if (table.key !== null) return null;
  // A row is known by all its values there, and MariaDB's updates and deletes have none of these.
  const generated = facts.flavour === "mariadb" ? table.columns.find((column) => column.generated !== null) : undefined;
  if (generated === undefined) return partialRowsRefusal(table, facts);
  return new MillraceError(
    "TABLE_NO_IDENTITY",
    `${id} has no key, and MariaDB leaves generated columns out of what it logs of changes: ${generated.name}`,
    {
      hint: `Give the table a primary key, or leave it out with \`tables.exclude\`.`,
      place: { table: id },
    },
  );
}
