import { z } from "zod";
import { parseTablePatterns } from "../core/table-pattern.ts";
import type { PartitionRule } from "../sinks/parquet/config.ts";
import { parsePartition } from "../sinks/parquet/partition.ts";

const TAKES =
  "`year`, `month`, `day` or `hour` (of the commit), one of these with a column, like `day(created_at)`, or a column; several with commas between them; or a mapping of table patterns `schema.table` to these";

const FORMS = "`year`, `month`, `day` or `hour`, with a column in parentheses or without, or a column's name";

/** A function that there is not. */
function partitionMistake(text: string): boolean {
  return /^\w+\s*\(/.test(text) && parsePartition(text).unit === "identity";
}

type PartitionOption = z.ZodPipe<
  z.ZodUnion<readonly [z.ZodString, z.ZodRecord<z.ZodString, z.ZodString>]>,
  z.ZodTransform<readonly PartitionRule[], string | Record<string, string>>
>;

/** The option `partition.by`. */
export function partitionRules(description: string): PartitionOption {
  return z
    .union([z.string(), z.record(z.string(), z.string())], TAKES)
    .transform((given, context): readonly PartitionRule[] => {
      const issue = (message: string, path: readonly string[]): void => {
        context.issues.push({ code: "custom", message, input: given, path: [...path], params: { complete: true } });
      };
      const rules = typeof given === "string" ? [["*", given] as const] : Object.entries(given);
      return rules.map(([pattern, text]) => {
        const path = typeof given === "string" ? [] : [pattern];
        const by = text.split(",").map((part) => part.trim());
        const bad = by.find((part) => part === "" || partitionMistake(part));
        if (bad !== undefined)
          issue(bad === "" ? "a partition is empty" : `\`${bad}\` is no partition: ${FORMS}`, path);
        return { tables: tablesOf(pattern, (message) => issue(message, path)), by: by.map(parsePartition) };
      });
    })
    .meta({
      description,
      anyOf: [{ type: "string" }, { type: "object", additionalProperties: { type: "string" } }],
    });
}

/** The pattern as one expression over `schema.table`, with each part anchored; null: every table. */
function tablesOf(pattern: string, issue: (message: string) => void): PartitionRule["tables"] {
  if (pattern === "*") return null;
  const { patterns, problems } = parseTablePatterns(pattern, "database.table");
  for (const { message } of problems) issue(message.replace("database.table", "schema.table"));
  return patterns.map(({ schema, table }) => ({ schema, table }));
}
