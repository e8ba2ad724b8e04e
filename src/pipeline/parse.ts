import { MillraceError } from "../core/errors.ts";
import { SINK_SECTIONS, SOURCE_SECTIONS } from "./catalog.ts";
import { FILE_BYTES_MAX, readDocument, type FileNode } from "./document.ts";
import { pipelineSection } from "./pipeline-keys.ts";
import { sortProblems, type Place, type Problem } from "./place.ts";
import { issueProblems, meantKey, plainValue, shown, type SectionNode } from "./problems.ts";
import type { BuildContext, Section } from "./section.ts";
import type { PipelineSpec } from "./spec.ts";
import type { Environment } from "./substitution.ts";

export interface ParseContext {
  /** As messages name the file. */
  readonly file: string;
  /** Absolute folder that relative paths in the file are relative to. */
  readonly folder: string;
  readonly environment: Environment;
}

const SECTIONS = ["source", "sink", "pipeline"] as const;
/** Sections that Flink CDC has and Millrace does not yet. */
const SECTIONS_NOT_YET = ["transform", "route"];

type Builder<T> = (context: BuildContext) => T;

/** A pipeline file's text as a validated spec. Rejects with one `CONFIG_INVALID` that lists all there is to mend. */
export function parsePipeline(text: string, context: ParseContext): PipelineSpec {
  if (Buffer.byteLength(text) > FILE_BYTES_MAX)
    throw configError(context.file, [{ place: { line: 1, column: 1 }, message: "the file is larger than 256 KiB" }]);
  const { root, problems } = readDocument(text, context.environment);
  if (root === null) throw configError(context.file, problems);
  if (root.kind !== "mapping") {
    const message = "a pipeline file is a mapping with the keys `source`, `sink` and `pipeline`";
    throw configError(context.file, [...problems, { place: root.place, message }]);
  }
  const found = new Findings(root, problems);
  const source = found.typed("source", SOURCE_SECTIONS);
  const sink = found.typed("sink", SINK_SECTIONS);
  const pipeline = found.section("pipeline", pipelineSection);
  found.topLevel();
  if (found.problems.length > 0 || source === null || sink === null || pipeline === null)
    throw configError(context.file, found.problems);
  const settings = pipeline({ pipeline: "", folder: context.folder });
  const build: BuildContext = { pipeline: settings.name, folder: context.folder };
  return { file: context.file, ...settings, source: source(build), sink: sink(build) };
}

class Findings {
  readonly problems: Problem[];
  readonly #root: Extract<FileNode, { readonly kind: "mapping" }>;

  constructor(root: Extract<FileNode, { readonly kind: "mapping" }>, problems: readonly Problem[]) {
    this.#root = root;
    this.problems = [...problems];
  }

  /** A section whose shape depends on its `type`. */
  typed<T>(name: string, sections: Readonly<Record<string, Section<T>>>): Builder<T> | null {
    const at = this.#sectionNode(name);
    if (at === null) return null;
    const types = Object.keys(sections);
    const type = at.mapping.entries.get("type");
    if (type === undefined) return this.#say(at.keyPlace, `\`type\` is missing in \`${name}\`: ${oneOf(types)}`);
    if (type.value.kind === "broken") return null;
    if (type.value.kind !== "scalar") return this.#say(type.keyPlace, `\`type\` takes ${oneOf(types)}`);
    const chosen = Object.hasOwn(sections, type.value.text) ? sections[type.value.text] : undefined;
    if (chosen !== undefined) return this.#read(at, chosen);
    const meant = type.value.variables.length > 0 ? "" : meantKey(type.value.text, types);
    const message = `\`type\` takes ${oneOf(types)}, not ${shown(type.value, "type")}${meant}`;
    return this.#say(type.value.place, message);
  }

  section<T>(name: string, section: Section<T>): Builder<T> | null {
    const at = this.#sectionNode(name);
    return at === null ? null : this.#read(at, section);
  }

  /** Keys of the top level that do not belong there. */
  topLevel(): void {
    for (const [key, { keyPlace }] of this.#root.entries) {
      const [section, ...option] = key.split(".");
      if (SECTIONS.some((name) => name === key)) continue;
      if (SECTIONS_NOT_YET.includes(key)) this.#say(keyPlace, `\`${key}\` is not supported yet; leave it out`);
      else if (option.length > 0 && SECTIONS.some((name) => name === section))
        this.#say(keyPlace, `write \`${option.join(".")}: …\` inside \`${section}:\` instead of \`${key}\``);
      else this.#say(keyPlace, `unknown key \`${key}\`${meantKey(key, SECTIONS)}`);
    }
  }

  #sectionNode(name: string): SectionNode | null {
    const entry = this.#root.entries.get(name);
    if (entry === undefined) return this.#say(this.#root.place, `\`${name}\` is missing`);
    const { keyPlace, value } = entry;
    if (value.kind === "mapping") return { name, keyPlace, mapping: value };
    if (value.kind === "broken") return null;
    if (value.kind === "empty") return this.#say(keyPlace, `\`${name}\` has no value`);
    return this.#say(
      value.place,
      `\`${name}\` is a mapping of options, not a ${value.kind === "list" ? "list" : "text"}`,
    );
  }

  #read<T>(at: SectionNode, section: Section<T>): Builder<T> | null {
    const result = section.read(plainValue(at.mapping));
    if (result.kind === "valid") return result.build;
    this.problems.push(...issueProblems(at, section, result.issues));
    return null;
  }

  #say(place: Place, message: string): null {
    this.problems.push({ place, message });
    return null;
  }
}

function oneOf(words: readonly string[]): string {
  const quoted = words.map((name) => `\`${name}\``);
  return [...quoted.slice(0, -2), quoted.slice(-2).join(" or ")].join(", ");
}

const LISTED_MAX = 50;

/** One problem is the error's own sentence and place; several are listed in it, a line each. */
function configError(file: string, problems: readonly Problem[]): MillraceError {
  const sorted = sortProblems(problems);
  const [first] = sorted;
  if (first !== undefined && sorted.length === 1)
    return new MillraceError("CONFIG_INVALID", first.message, { place: { file, ...first.place } });
  const list = sorted
    .slice(0, LISTED_MAX)
    .map(({ place, message }) => `  ${file}:${place.line}:${place.column}: ${message}`);
  if (sorted.length > LISTED_MAX) list.push(`  … and ${sorted.length - LISTED_MAX} more`);
  return new MillraceError("CONFIG_INVALID", [`the pipeline file has ${sorted.length} problems`, ...list].join("\n"));
}
