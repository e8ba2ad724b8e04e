import { MillraceError } from "../core/errors.ts";
import { typeLabel } from "../core/logical-type.ts";
import type { TableSchema } from "../core/table-schema.ts";
import { Outcome } from "./cell-type.ts";

/** Says that a cell did not decode, and where; never the value (law 8). `position` is null in a snapshot. */
export function valueError(
  outcome: Outcome,
  schema: TableSchema,
  column: number,
  position: string | null,
): MillraceError {
  const { name, type, sourceType } = schema.columns[column]!;
  const where = position === null ? "in the snapshot" : `at ${position}`;
  const place = { table: schema.id, ...(position === null ? {} : { position }) };
  if (outcome === Outcome.unrepresentable)
    return new MillraceError(
      "VALUE_UNREPRESENTABLE",
      `column ${name} of ${schema.id} (${sourceType}) has a value ${where} that ${typeLabel(type)} cannot hold`,
      { place },
    );
  return new MillraceError(
    "DECODE_FAILED",
    `column ${name} of ${schema.id} (${sourceType}) has a value ${where} that is not in the form of ${typeLabel(type)}`,
    { place },
  );
}
