import type { MillraceError } from "../core/errors.ts";
import type { Inspection } from "../core/source.ts";
import type { TableSchema } from "../core/table-schema.ts";

/** What the sink cannot take is refused as what the source cannot give: before anything is written, and by `plan` too. */
export function withSinkRefusals(
  inspection: Inspection,
  problem: (schema: TableSchema) => MillraceError | null,
): Inspection {
  const problems = inspection.offers.map((offer) => ({ offer, error: problem(offer.schema) }));
  return {
    ...inspection,
    offers: problems.flatMap(({ offer, error }) => (error === null ? [offer] : [])),
    refusals: [
      ...inspection.refusals,
      ...problems.flatMap(({ offer, error }) => (error === null ? [] : [{ table: offer.schema.id, error }])),
    ],
  };
}
