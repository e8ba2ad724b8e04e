import { isDeepStrictEqual } from "node:util";
import { MillraceError } from "../../../core/errors.ts";
import type { TableSchema } from "../../../core/table-schema.ts";
import { alterDefinition } from "./altered-definition.ts";
import type { DdlRules } from "../ddl/rules.ts";
import type { ShapeChange } from "../ddl/statement.ts";
import { followAlteration } from "./followed-table.ts";
import type { MysqlTypeRules } from "../mysql-type.ts";
import { historyOf, withHistory } from "./table-history.ts";

/** What the meaning of a statement for our tables depends on, and where it stands in the log. */
export interface StatementTerms {
  readonly ddl: DdlRules;
  readonly types: MysqlTypeRules;
  readonly position: string;
  /** Whether a copy that a tool puts in a table's place is followed. */
  readonly followCopies: boolean;
}

/** The schema behind an ALTER TABLE: itself, where nothing changes that matters; or the error that stops the table. */
export function alteredSchema(
  schema: TableSchema,
  { alterations, ignore }: Extract<ShapeChange, { kind: "alter" }>,
  { ddl, types, position }: StatementTerms,
): TableSchema | MillraceError {
  const history = historyOf(schema);
  // Of a table without one the log says itself what its rows are.
  if (history === null) return schema;
  const altered = alterations === null ? "it is not understood" : alterDefinition(history.table, alterations, ddl);
  if (typeof altered === "string") return unclearAlteration(schema, altered, position);
  const columns = followAlteration(schema, history.table, altered, { strict: ddl.strict, ignore, position }, types);
  if (columns instanceof MillraceError) return columns;
  if (isDeepStrictEqual(altered.definition, history.table)) return schema;
  return withHistory(
    { ...schema, version: schema.version + 1, columns },
    {
      ...history,
      table: altered.definition,
      copy: history.copy === null ? null : { ...history.copy, trouble: "was not altered as the table itself was" },
    },
  );
}

function unclearAlteration({ id }: TableSchema, why: string, position: string): MillraceError {
  return new MillraceError("DDL_UNCLEAR", `what a statement in the log makes of table ${id} is not clear: ${why}`, {
    place: { table: id, position },
  });
}
