import { asMillraceError, type ErrorPlace, type MillraceError } from "../core/errors.ts";
import type { Screen } from "./surroundings.ts";
import { printable } from "./text-width.ts";

/** An error for people: code and sentence, where, and what to do. The stack only where somebody asked for details. */
export function printError(error: unknown, screen: Screen, withStack: boolean): MillraceError {
  const known = asMillraceError(error);
  for (const line of errorLines(known, screen)) screen.write(`${line}\n`);
  if (withStack) screen.write(`${stackOf(known)}\n`);
  return known;
}

export function errorLines(error: MillraceError, { palette }: Pick<Screen, "palette">): readonly string[] {
  const [sentence = "", ...more] = error.message.split("\n").map(printable);
  const lines = [`${palette.red(palette.bold(`error ${error.code}`))}: ${sentence}`, ...more];
  const place = placeText(error.place);
  if (place !== "") lines.push(`  ${palette.dim("at")} ${printable(place)}`);
  const [hint = "", ...hints] = error.hint.split("\n").map(printable);
  if (hint !== "") lines.push(`  ${palette.dim("hint:")} ${hint}`, ...hints.map((line) => `        ${line}`));
  return lines;
}

function placeText({ file, line, column, table, position }: ErrorPlace): string {
  const parts: string[] = [];
  if (file !== undefined) parts.push([file, line, column].filter((part) => part !== undefined).join(":"));
  if (table !== undefined) parts.push(`table ${table}`);
  if (position !== undefined) parts.push(`position ${position}`);
  return parts.join(", ");
}

const CAUSES_MAX = 5;

function stackOf(error: Error): string {
  const stacks: string[] = [];
  let cause: unknown = error;
  for (let depth = 0; cause instanceof Error && depth < CAUSES_MAX; depth++) {
    stacks.push(cause.stack ?? cause.message);
    ({ cause } = cause);
  }
  return stacks.join("\ncaused by ");
}
