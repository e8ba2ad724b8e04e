import { MillraceError } from "../../core/errors.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import type { ParquetOptions } from "./config.ts";
import { type Partition, partitionProblem } from "./partition.ts";
import { CHANGE_COLUMNS } from "./schema.ts";

/** What the pipeline file says of a table's files, as far as a table may not go with it. */
export type TableRules = Pick<ParquetOptions, "partitions">;

/** Why a table of this shape cannot be written; null: it can. The same for `plan`, a start and a table that is altered later. */
export function tableProblem(rules: TableRules, schema: TableSchema): MillraceError | null {
  const name = nameProblem(schema);
  if (name !== null) return refusal("SINK_NAME_CLASH", schema, name);
  for (const partition of partitionsOf(rules, schema)) {
    const problem = partitionProblem(partition, schema);
    if (problem !== null) return refusal("SINK_PARTITION", schema, problem);
  }
  return null;
}

function refusal(code: "SINK_NAME_CLASH" | "SINK_PARTITION", { id }: TableSchema, why: string): MillraceError {
  return new MillraceError(code, `Table ${id} cannot be written to Parquet files: ${why}.`, { place: { table: id } });
}

/** DuckDB and Spark do not tell columns apart by case: who reads the files would meet one of two, and not know which. */
function nameProblem({ columns }: TableSchema): string | null {
  const reserved = new Set<string>(Object.values(CHANGE_COLUMNS));
  const seen = new Map<string, string>();
  for (const { name } of columns) {
    const folded = name.toLowerCase();
    if (reserved.has(folded)) return `its column ${name} has the name of one that every file has`;
    const other = seen.get(folded);
    if (other !== undefined) return `its columns ${other} and ${name} differ only in case`;
    seen.set(folded, name);
  }
  return null;
}

/** By the first rule that is for the table; none where no rule is. */
export function partitionsOf(
  { partitions }: TableRules,
  { namespace, name }: Pick<TableSchema, "namespace" | "name">,
): readonly Partition[] {
  const whole = (source: string, text: string): boolean => new RegExp(`^(?:${source})$`, "s").test(text);
  const rule = partitions.find(
    ({ tables }) => tables?.some(({ schema, table }) => whole(schema, namespace) && whole(table, name)) ?? true,
  );
  return rule?.by ?? [];
}
