import type { z } from "zod";

/** What a section's options are completed with. */
export interface BuildContext {
  readonly pipeline: string;
  /** Absolute folder of the pipeline file: relative paths in it are relative to this. */
  readonly folder: string;
}

/** An issue that zod found, with the path inside the section. */
export interface SectionIssue {
  readonly path: readonly PropertyKey[];
  /** What the option takes. */
  readonly message: string;
  /** Offset into the option's text, where the kind of value knows better than its beginning. */
  readonly offset: number;
  /** The message is a sentence of its own and not what the option takes. */
  readonly complete: boolean;
  readonly unknownKeys: readonly string[];
}

export type SectionResult<T> =
  | { readonly kind: "valid"; readonly build: (context: BuildContext) => T }
  | { readonly kind: "invalid"; readonly issues: readonly SectionIssue[] };

/** One mapping of the pipeline file: its keys, which are also its JSON Schema, and what is made of them. */
export interface Section<T> {
  readonly keys: z.ZodObject;
  /** Options that users of Flink CDC know, which do not exist here yet: they get a message of their own. */
  readonly notYet: readonly string[];
  read(mapping: unknown): SectionResult<T>;
}

export function section<K extends z.ZodObject, T>(
  keys: K,
  notYet: readonly string[],
  build: (options: z.output<K>, context: BuildContext) => T,
): Section<T> {
  const read = (mapping: unknown): SectionResult<T> => {
    const result = keys.safeParse(mapping);
    if (result.success) return { kind: "valid", build: (context) => build(result.data, context) };
    return { kind: "invalid", issues: result.error.issues.map(sectionIssue) };
  };
  return { keys, notYet, read };
}

function sectionIssue(issue: z.core.$ZodIssue): SectionIssue {
  const params = issue.code === "custom" ? (issue.params ?? {}) : {};
  const offset: unknown = params["offset"];
  return {
    path: issue.path,
    message: issue.message,
    offset: typeof offset === "number" ? offset : 0,
    complete: params["complete"] === true,
    unknownKeys: issue.code === "unrecognized_keys" ? issue.keys : [],
  };
}
