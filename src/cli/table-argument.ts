import { MillraceError } from "../core/errors.ts";
import { tableId, type TableId } from "../core/table-schema.ts";

const NAME = /^("(?:[^"]|"")+"|[^".]+)\.("(?:[^"]|"")+"|[^".]+)$/;

/** A table as it is named on the command line: `schema.table`, either part in double quotes where it is no plain word. */
export function tableArgument(text: string): TableId {
  const match = NAME.exec(text);
  if (match === null)
    throw new MillraceError("USAGE", `${JSON.stringify(text)} is not the name of a table`, {
      hint: 'Write schema.table, as `millrace status` shows it; "Odd.Name" in double quotes.',
    });
  return tableId(unquoted(match[1]!), unquoted(match[2]!));
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
