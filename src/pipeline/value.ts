import { z } from "zod";
import { Secret } from "./secret.ts";
import { parseDurationMs, parseSizeBytes } from "./units.ts";

/**
 * The kinds of value an option can have. Every scalar of the file arrives here as its text (`port: 5432` and `port:
 * "5432"` mean the same), and the kind gives it its meaning. The message of an issue is always *what the option takes*;
 * `problems.ts` makes the sentence of it. The JSON Schema for editors is what `meta` says.
 */
type Value<T> = z.ZodPipe<z.ZodString, z.ZodTransform<T, string>>;

interface Kind<T> {
  readonly takes: string;
  readonly parse: (text: string) => T | null;
  readonly editor: Readonly<Record<string, unknown>>;
}

/** A reference to the environment may stand anywhere: an editor cannot know what it will become. */
const REFERENCE = { type: "string", pattern: "\\$\\{" };

function value<T>(kind: Kind<T>, description: string): Value<T> {
  return z
    .string(kind.takes)
    .transform((text, context): T => {
      const parsed = kind.parse(text);
      if (parsed !== null) return parsed;
      context.issues.push({ code: "custom", message: kind.takes, input: text });
      return z.NEVER;
    })
    .meta({ description, ...kind.editor });
}

export function text(description: string, takes: string = "a text"): Value<string> {
  return value({ takes, parse: (given) => (given === "" ? null : given), editor: { type: "string" } }, description);
}

/** A text with a form of its own. */
export function word(pattern: RegExp, takes: string, description: string): Value<string> {
  const editor = { type: "string", anyOf: [{ pattern: pattern.source }, { pattern: REFERENCE.pattern }] };
  return value({ takes, parse: (given) => (pattern.test(given) ? given : null), editor }, description);
}

export function secret(description: string): Value<Secret> {
  return value({ takes: "a text", parse: (given) => new Secret(given), editor: { type: "string" } }, description);
}

export function integer(min: number, max: number, description: string): Value<number> {
  const takes = `a whole number from ${min} to ${max}`;
  const parse = (given: string): number | null => {
    const number = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
    return number >= min && number <= max ? number : null;
  };
  const editor = { type: ["integer", "string"], anyOf: [{ type: "integer", minimum: min, maximum: max }, REFERENCE] };
  return value({ takes, parse, editor }, description);
}

export function flag(description: string): Value<boolean> {
  const parse = (given: string): boolean | null => (given === "true" ? true : given === "false" ? false : null);
  const editor = { type: ["boolean", "string"], anyOf: [{ type: "boolean" }, REFERENCE] };
  return value({ takes: "true or false", parse, editor }, description);
}

/** One of several words, each with the value it stands for. */
export function choice<T>(words: Readonly<Record<string, T>>, takes: string, description: string): Value<T> {
  const parse = (given: string): T | null => (Object.hasOwn(words, given) ? words[given]! : null);
  const editor = { type: "string", anyOf: [{ enum: Object.keys(words) }, { pattern: REFERENCE.pattern }] };
  return value({ takes, parse, editor }, description);
}

export function durationMs(min: number, max: number, range: string, description: string): Value<number> {
  const parse = (given: string): number | null => {
    const ms = parseDurationMs(given);
    return ms !== null && ms >= min && ms <= max ? ms : null;
  };
  const editor = {
    type: "string",
    anyOf: [{ pattern: "^[0-9.]+ *(ms|s|sec|m|min|h|d)$" }, { pattern: REFERENCE.pattern }],
  };
  return value({ takes: `a duration with its unit, like 200ms, 30s or 5min, ${range}`, parse, editor }, description);
}

export function sizeBytes(min: number, range: string, description: string): Value<number> {
  const parse = (given: string): number | null => {
    const bytes = parseSizeBytes(given);
    return bytes !== null && bytes >= min ? bytes : null;
  };
  const editor = {
    type: "string",
    anyOf: [{ pattern: "^[0-9.]+ *([kKmMgGtT]i?)?[bB]$" }, { pattern: REFERENCE.pattern }],
  };
  return value({ takes: `a size with its unit, like 64MB or 1GiB, ${range}`, parse, editor }, description);
}
