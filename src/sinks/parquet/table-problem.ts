import { MillraceError } from "../../core/errors.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import type { ParquetOptions } from "./config.ts";
import { partitionProblem, type Partition } from "./partition.ts";
import { reservedColumn } from "./schema.ts";

/** By the first rule that is for the table; none where no rule is. */
export function partitionsOf(
  { partitions }: Pick<ParquetOptions, "partitions">,
  { namespace, name }: Pick<TableSchema, "namespace" | "name">,
): readonly Partition[] {
  const whole = (source: string, text: string): boolean => new RegExp(`^(?:${source})$`, "s").test(text);
  const rule = partitions.find(
    ({ tables }) => tables?.some(({ schema, table }) => whole(schema, namespace) && whole(table, name)) ?? true,
  );
  return rule?.by ?? [];
}

/** What keeps a table from being written; null: nothing. */
export function tableProblem(options: Pick<ParquetOptions, "partitions">, schema: TableSchema): MillraceError | null {
  const problem = (why: string, hint: string): MillraceError =>
    new MillraceError("SINK_NAME_CLASH", `Table ${schema.id} cannot be written: ${why}.`, {
      place: { table: schema.id },
      hint,
    });
  const reserved = reservedColumn(schema);
  if (reserved !== null)
    return problem(
      `its column ${reserved} has the name of one that every file has`,
      "Rename the column in the source, or leave the table out of the pipeline.",
    );
  const why = partitionsOf(options, schema)
    .map((partition) => partitionProblem(partition, schema))
    .find((it) => it !== null);
  return why === undefined
    ? null
    : problem(why, "Correct `partition.by`; as a mapping it is for the tables alone that it names.");
}
