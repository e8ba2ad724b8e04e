/** Environment variables by name, as `process.env` has them. Only the command line reads the process's own. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Substituted {
  readonly text: string;
  /** Names of the variables that are part of the text now: its value may be a secret, so messages name these instead. */
  readonly variables: readonly string[];
  /** `at` is the offset of the `${` in the text given. */
  readonly problems: readonly { readonly at: number; readonly message: string }[];
}

/** One text full of mistakes is one mistake. */
const PROBLEMS_MAX = 20;

const REFERENCE = /\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|([^}\n]*\})?)/g;

/**
 * Replaces `${NAME}` and `${NAME:-default}` by the environment; `$${` is the characters `${`. As in a shell, the default
 * also stands in for a variable that is set to nothing.
 */
export function substitute(text: string, environment: Environment): Substituted {
  const variables: string[] = [];
  const problems: { at: number; message: string }[] = [];
  const replaced = text.replace(
    REFERENCE,
    (match, name?: string, fallback?: string, malformed?: string, at?: number) => {
      if (match === "$${") return "${";
      if (name === undefined) {
        const message = malformed === undefined ? "`${` without its `}`" : `\`${match}\` does not name a variable`;
        problems.push({ at: at ?? 0, message: `${message}; write \`$\${\` for these characters themselves` });
        return match;
      }
      variables.push(name);
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
      if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
      if (value === undefined)
        problems.push({ at: at ?? 0, message: `the environment variable \`${name}\` is not set` });
      return value ?? match;
    },
  );
  return { text: replaced, variables, problems: problems.slice(0, PROBLEMS_MAX) };
}
