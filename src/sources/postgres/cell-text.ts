import type { Column } from "../../core/column.ts";
import { MillraceError } from "../../core/errors.ts";

/**
 * A cell as PostgreSQL prints it (ISO dates, UTC, hex bytea), for literals of statements: chunk bounds and selects by
 * key. Not for null or absent cells.
 */
export function cellText(column: Column, row: number): string {
  void [column, row];
  throw new MillraceError("INTERNAL", "not written yet");
}
