/** What a server calls the parts of a table's name: MySQL's databases are what elsewhere are schemas. */
export type TableNameForm = "database.schema.table" | "database.table";

/** One pattern; each part is the source of a regular expression that must match the whole name. */
export interface TablePattern {
  readonly text: string;
  /** Null in the form `database.table`. */
  readonly database: string | null;
  /** The namespace of the table: in the form `database.table`, the database. */
  readonly schema: string;
  readonly table: string;
}

/** What is wrong with a list of patterns, and the offset (from 0) of the offending character in it. */
export interface TablePatternProblem {
  readonly message: string;
  readonly offset: number;
}

interface Part {
  readonly source: string;
  readonly offset: number;
}

/**
 * Parses the `tables` option in the form that Flink CDC pipelines use: patterns separated by commas, each of the parts that
 * `form` names, where `.` separates the parts and `\.` is the dot of a regular expression (`shop.public.\.*`). Within `[…]` and `{…}` dots and commas are the expression's own: `[.]` is a dot in a name.
 */
export function parseTablePatterns(
  list: string,
  form: TableNameForm,
): {
  readonly patterns: readonly TablePattern[];
  readonly problems: readonly TablePatternProblem[];
} {
  const partsMax = form.split(".").length;
  const patterns: TablePattern[] = [];
  const problems: TablePatternProblem[] = [];
  for (const parts of splitList(list)) {
    const first = parts[0]!;
    if (parts.length === 1 && first.source === "") {
      problems.push({ message: "a table pattern is empty", offset: Math.min(first.offset, list.length) });
      continue;
    }
    if (parts.length !== partsMax) {
      const message = `a table pattern has ${partsMax === 3 ? "three" : "two"} parts, ${form}, not ${parts.length} (write the dot of a regular expression as \\.)`;
      problems.push({ message, offset: first.offset });
      continue;
    }
    const found = parts.map(partProblem).filter((problem) => problem !== null);
    problems.push(...found);
    const sources = parts.map((part) => part.source);
    const [table, schema, database] = sources.toReversed() as [string, string, string?];
    if (found.length === 0) patterns.push({ text: sources.join("."), database: database ?? null, schema, table });
  }
  return { patterns, problems };
}

function partProblem(part: Part): TablePatternProblem | null {
  if (part.source === "") return { message: "a part of a table pattern is empty", offset: part.offset };
  try {
    wholeName(part.source);
    return null;
  } catch {
    return { message: `${JSON.stringify(part.source)} is not a regular expression`, offset: part.offset };
  }
}

/** The list as patterns of parts, unescaped: `\.` has become `.`. White space around a pattern is dropped. */
function splitList(list: string): readonly (readonly Part[])[] {
  const patterns: Part[][] = [];
  let parts: Part[] = [];
  let source = "";
  let offset = 0;
  let closing: string | null = null;
  const endPart = (next: number): void => {
    const lead = source.length - source.trimStart().length;
    parts.push({ source: source.trim(), offset: offset + lead });
    source = "";
    offset = next;
  };
  for (let i = 0; i < list.length; i++) {
    const char = list[i]!;
    if (char === "\\" && i + 1 < list.length) {
      const next = list[++i]!;
      source += next === "." ? "." : char + next;
    } else if (closing !== null) {
      source += char;
      if (char === closing) closing = null;
    } else if (char === ".") {
      endPart(i + 1);
    } else if (char === ",") {
      endPart(i + 1);
      patterns.push(parts);
      parts = [];
    } else {
      source += char;
      if (char === "[") closing = "]";
      if (char === "{") closing = "}";
    }
  }
  endPart(list.length);
  patterns.push(parts);
  return patterns;
}

function wholeName(source: string): RegExp {
  return new RegExp(`^(?:${source})$`, "s");
}

/** Whether a pattern speaks of this database at all. */
export function matchesDatabase(pattern: TablePattern, database: string): boolean {
  return pattern.database === null || wholeName(pattern.database).test(database);
}

/**
 * A predicate over the tables of one database, or of the server where its databases are the schemas: matched by one of
 * `include` and by none of `exclude`.
 */
export function tableMatcher(
  include: readonly TablePattern[],
  exclude: readonly TablePattern[],
  database: string | null,
): (schema: string, table: string) => boolean {
  const compile = (patterns: readonly TablePattern[]): readonly (readonly [RegExp, RegExp])[] =>
    patterns
      .filter((pattern) => database === null || matchesDatabase(pattern, database))
      .map((pattern) => [wholeName(pattern.schema), wholeName(pattern.table)]);
  const wanted = compile(include);
  const unwanted = compile(exclude);
  return (schema, table) => {
    const hit = ([s, t]: readonly [RegExp, RegExp]): boolean => s.test(schema) && t.test(table);
    return wanted.some(hit) && !unwanted.some(hit);
  };
}
