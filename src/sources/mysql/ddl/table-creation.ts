import type { Alteration } from "./alteration.ts";
import { readElements } from "./alter-actions.ts";
import type { DdlRules } from "./rules.ts";
import { readTableOptions } from "./table-option.ts";
import type { NamedTable, TokenCursor } from "./token-cursor.ts";

/** What a CREATE TABLE makes: a copy of another one's form, or what these alterations make of nothing. */
export type TableCreation =
  | { readonly kind: "like"; readonly table: NamedTable }
  | { readonly kind: "written"; readonly alterations: readonly Alteration[] };

/** From behind the table's name to the end. Null: not understood, or the form follows from a query. */
export function readCreation(cursor: TokenCursor, rules: DdlRules): TableCreation | null {
  if (rules.otherDialect) return null;
  if (cursor.take("like")) return like(cursor);
  if (!cursor.symbol("(")) return null;
  if (cursor.take("like")) {
    const creation = like(cursor);
    return creation !== null && cursor.symbol(")") ? creation : null;
  }
  const elements = readElements(cursor, rules);
  if (elements === null) return null;
  const options: Alteration[] = [];
  while (!cursor.atEnd && !cursor.take("partition", "by")) {
    const found = readTableOptions(cursor);
    if (found === null || cursor.takeOne("ignore", "replace", "as", "select")) return null;
    options.push(...found);
    cursor.symbol(",");
  }
  // The table's character set stands behind the columns that take it.
  return { kind: "written", alterations: [...options, ...elements] };
}

function like(cursor: TokenCursor): TableCreation | null {
  const table = cursor.table();
  return table === null ? null : { kind: "like", table };
}
