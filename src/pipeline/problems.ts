import type { FileEntry, FileNode } from "./document.ts";
import { nearest } from "./nearest.ts";
import type { Place, Problem } from "./place.ts";
import type { Section, SectionIssue } from "./section.ts";

type Mapping = Extract<FileNode, { readonly kind: "mapping" }>;

/** The node as plain data for zod: scalars are their text; what is empty or complained of already is what no option takes. */
export function plainValue(node: FileNode): unknown {
  switch (node.kind) {
    case "scalar":
      return node.text;
    case "list":
      return node.items.map(plainValue);
    case "mapping":
      return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plainValue(entry.value)]));
    case "empty":
      return node.written === "null" ? null : false;
    case "broken":
      return false;
  }
}

/** One section of the file, found under a key of the top level. */
export interface SectionNode {
  readonly name: string;
  readonly keyPlace: Place;
  readonly mapping: Mapping;
}

/** What a section's issues say, in sentences, each at its place. */
export function issueProblems(
  at: SectionNode,
  section: Section<unknown>,
  issues: readonly SectionIssue[],
): readonly Problem[] {
  return issues.flatMap((issue) => {
    if (issue.unknownKeys.length > 0)
      return issue.unknownKeys.map((key) => unknownKeyProblem(at, section, key, at.mapping.entries.get(key)!));
    return valueProblem(at, issue);
  });
}

function valueProblem(at: SectionNode, issue: SectionIssue): Problem | [] {
  const [key, index] = issue.path.map(String);
  if (key === undefined) return { place: at.keyPlace, message: `\`${at.name}\` takes ${issue.message}` };
  const entry = at.mapping.entries.get(key);
  if (entry === undefined) return { place: at.keyPlace, message: `\`${key}\` is missing in \`${at.name}\`` };
  const node = (index === undefined ? undefined : childOf(entry.value, index)) ?? entry.value;
  switch (node.kind) {
    case "broken":
      return [];
    case "empty":
      return { place: entry.keyPlace, message: `\`${key}\` has no value` };
    case "mapping":
      return { place: node.place, message: `\`${key}\` takes ${issue.message}, not a mapping` };
    case "list":
      return {
        place: node.place,
        message: `\`${key}\` takes ${issue.message}, not ${node.items.length === 0 ? "an empty list" : "a list"}`,
      };
    case "scalar": {
      const column = node.place.column + (node.literal ? issue.offset : 0);
      const place = { line: node.place.line, column };
      if (issue.complete) return { place, message: issue.message };
      return {
        place,
        message: `\`${key}\` takes ${issue.message}, not ${shown(node, key)}${slip(node.text, issue.message)}`,
      };
    }
  }
}

/** An item of a list, or a value of a mapping. */
function childOf(node: FileNode, index: string): FileNode | undefined {
  if (node.kind === "list") return node.items[Number(index)];
  return node.kind === "mapping" ? node.entries.get(index)?.value : undefined;
}

const SHOWN_LENGTH_MAX = 60;

/** The value found, unless it may be a secret. */
export function shown(node: Extract<FileNode, { readonly kind: "scalar" }>, key: string): string {
  if (node.variables.length > 0) return `the value of ${node.variables.map((name) => `\`\${${name}}\``).join(" and ")}`;
  if (key === "password" || key.includes("secret")) return "this";
  if (node.text === "") return "an empty text";
  // A URL's user and password.
  const line = node.text.replace(/:\/\/.*@/s, "://***@").replaceAll(/\s+/g, " ");
  return `\`${line.length > SHOWN_LENGTH_MAX ? `${line.slice(0, SHOWN_LENGTH_MAX)}…` : line}\``;
}

/** `; did you mean …?`, where the value is nearly one of the words that the option takes. */
function slip(text: string, takes: string): string {
  const words = [...takes.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
  const near = nearest(text, words);
  return near === null ? "" : `; did you mean \`${near}\`?`;
}

function unknownKeyProblem(at: SectionNode, section: Section<unknown>, key: string, entry: FileEntry): Problem {
  const known = Object.keys(section.keys.shape);
  const place = entry.keyPlace;
  if (isNotYet(section, key)) return { place, message: `\`${key}\` is not supported yet; leave it out` };
  const children = known.filter((name) => name.startsWith(`${key}.`));
  if (entry.value.kind === "mapping" && children.length > 0) {
    const inside = [...entry.value.entries.keys()].map((child) => `${key}.${child}`);
    const meant = inside.filter((name) => children.includes(name));
    const written = (meant.length > 0 ? meant : children).map((name) => `\`${name}: …\``);
    return { place, message: `keys are written flat: ${written.join(", ")} instead of a mapping under \`${key}\`` };
  }
  return { place, message: `unknown key \`${key}\` in \`${at.name}\`${meantKey(key, known)}` };
}

function isNotYet(section: Section<unknown>, key: string): boolean {
  return section.notYet.some((name) => key === name || key.startsWith(`${name}.`));
}

/** `; did you mean …?` of a key, or nothing. */
export function meantKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  return near === null ? "" : `; did you mean \`${near}\`?`;
}
