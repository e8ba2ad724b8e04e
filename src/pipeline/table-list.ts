import { z } from "zod";
import { parseTablePatterns, type TableNameForm, type TablePattern } from "../core/table-pattern.ts";

const takes = (form: TableNameForm): string => `table patterns, \`${form}\`, separated by commas or as a list`;

type PatternList = z.ZodPipe<
  z.ZodUnion<readonly [z.ZodString, z.ZodArray<z.ZodUnknown>]>,
  z.ZodTransform<readonly TablePattern[], string | unknown[]>
>;

/** The option `tables`: one text with commas, as Flink CDC writes it, or a YAML list of such texts. */
export function tableList(form: TableNameForm, description: string): PatternList {
  return z
    .union([z.string(), z.array(z.unknown())], takes(form))
    .transform((given, context): readonly TablePattern[] => {
      const items = typeof given === "string" ? [given] : given;
      const patterns: TablePattern[] = [];
      const issue = (index: number, message: string, params: { offset?: number; complete?: boolean }): void => {
        const path = typeof given === "string" ? [] : [index];
        context.issues.push({ code: "custom", message, input: given, path, params });
      };
      if (items.length === 0) issue(0, takes(form), {});
      for (const [index, item] of items.entries()) {
        if (typeof item !== "string") {
          issue(index, takes(form), {});
          continue;
        }
        const parsed = parseTablePatterns(item, form);
        for (const { message, offset } of parsed.problems) issue(index, message, { offset, complete: true });
        patterns.push(...parsed.patterns);
      }
      return patterns;
    })
    .meta({ description, anyOf: [{ type: "string" }, { type: "array", items: { type: "string" }, minItems: 1 }] });
}

/** A database's name in a pattern is a name and no expression, since a slot belongs to one database. */
const DATABASE = /^[^\\^$.*+?()[\]{}|]+$/;

/** The option `tables`, whose patterns must all be of one database, named outright. */
export function tablesOfOneDatabase(
  description: string,
): z.ZodPipe<PatternList, z.ZodTransform<TablesOption, readonly TablePattern[]>> {
  return tableList("database.schema.table", description).transform((patterns, context): TablesOption => {
    const database = patterns[0]?.database ?? "";
    const named = patterns.map((pattern) => pattern.database ?? "");
    const stray = named.find((name) => !DATABASE.test(name) || name !== database);
    if (stray !== undefined) {
      const message = DATABASE.test(stray)
        ? `all tables of one pipeline are in one database: \`${database}\` or \`${stray}\`, not both`
        : `the database of a table pattern is a plain name, not the expression \`${stray}\``;
      context.issues.push({ code: "custom", message, input: patterns, params: { complete: true } });
    }
    return { database, patterns };
  });
}

export interface TablesOption {
  readonly database: string;
  readonly patterns: readonly TablePattern[];
}
