import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type ParsedNode } from "yaml";
import { sortProblems, type Place, type Problem } from "./place.ts";
import { substitute, type Environment } from "./substitution.ts";

/** A node of the file, with its place: YAML's aliases followed and the environment's variables put in. */
export type FileNode =
  | {
      readonly kind: "scalar";
      readonly place: Place;
      readonly text: string;
      readonly variables: readonly string[];
      /** Whether the text stands in the file exactly so from `place` on: then an offset into it is a column. */
      readonly literal: boolean;
    }
  /** Nothing, `~`, or the word `null`, which one option takes as a word. */
  | { readonly kind: "empty"; readonly place: Place; readonly written: string }
  | { readonly kind: "list"; readonly place: Place; readonly items: readonly FileNode[] }
  | { readonly kind: "mapping"; readonly place: Place; readonly entries: ReadonlyMap<string, FileEntry> }
  /** What is wrong with it has been said already. */
  | { readonly kind: "broken"; readonly place: Place };

export interface FileEntry {
  readonly keyPlace: Place;
  readonly value: FileNode;
}

/** Bounds that no sensible pipeline file meets: they keep a wrong file, or one of aliases of aliases, from taking the machine. */
export const FILE_BYTES_MAX = 262_144;
const TOO_LARGE = "the file is nested too deep or too large";
const NODES_MAX = 50_000;
const DEPTH_MAX = 32;

/** The file as a tree, and everything that is wrong with it as YAML or with its variables. Null: not even a tree. */
export function readDocument(
  text: string,
  environment: Environment,
): { readonly root: FileNode | null; readonly problems: readonly Problem[] } {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    schema: "failsafe",
    prettyErrors: false,
    uniqueKeys: false,
  });
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (!Array.isArray(documents) || documents[0] === undefined)
    return { root: null, problems: [{ place: { line: 1, column: 1 }, message: "the file is empty" }] };
  const faults = documents.flatMap((document) => [...document.errors, ...document.warnings]);
  if (faults.length > 0) {
    const problems = faults.map(({ code, message, pos }) => ({
      place: place(pos[0]),
      message: syntaxMessage(code, message, text, pos[0]),
    }));
    return { root: null, problems: firstOfEachLine(problems) };
  }
  const second = documents[1];
  if (second !== undefined) {
    const problem = {
      place: place(second.range[0]),
      message: "the file has a second document; a pipeline file is one",
    };
    return { root: null, problems: [problem] };
  }
  const reader = new TreeReader(documents[0], text, place, environment);
  return { root: reader.read(documents[0].contents, 0), problems: reader.problems };
}

/** A fault of syntax mostly brings more on its line that mean nothing by themselves. */
function firstOfEachLine(problems: readonly Problem[]): readonly Problem[] {
  const lines = new Set<number>();
  return sortProblems(problems).filter(({ place }) => !lines.has(place.line) && lines.add(place.line));
}

function syntaxMessage(code: string, message: string, text: string, offset: number): string {
  if (code === "RESOURCE_EXHAUSTION") return TOO_LARGE;
  if (code === "TAB_AS_INDENT") return "a tab indents this line; YAML is indented by spaces";
  if (text[offset] === "{" && text[offset - 1] === "$")
    return 'inside `{ }` and `[ ]`, a variable needs quotes: "${NAME}"';
  return `not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}

type Parsed = ParsedNode | null;

class TreeReader {
  readonly problems: Problem[] = [];
  readonly #document: Document.Parsed;
  readonly #text: string;
  readonly #place: (offset: number) => Place;
  readonly #environment: Environment;
  #nodes = 0;

  constructor(document: Document.Parsed, text: string, place: (offset: number) => Place, environment: Environment) {
    this.#document = document;
    this.#text = text;
    this.#place = place;
    this.#environment = environment;
  }

  read(node: Parsed, depth: number): FileNode {
    const place = this.#place(node?.range[0] ?? 0);
    if (depth > DEPTH_MAX || ++this.#nodes > NODES_MAX) return this.#broken(place, TOO_LARGE);
    if (isMap(node)) return this.#mapping(node.items, place, depth);
    if (isSeq(node))
      return { kind: "list", place, items: node.items.map((item) => this.read(item as Parsed, depth + 1)) };
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target === undefined) return this.#broken(place, `nothing is marked \`&${node.source}\` before this`);
      return this.read(target as Parsed, depth + 1);
    }
    if (!isScalar(node)) return { kind: "empty", place, written: "" };
    const plain = node.type === "PLAIN" || node.type === undefined;
    const text = String(node.value);
    if (plain && (text === "" || text === "~" || text === "null")) return { kind: "empty", place, written: text };
    return this.#scalar(text, node.range[0], node.range[1]);
  }

  #mapping(
    items: readonly { readonly key: unknown; readonly value: unknown }[],
    place: Place,
    depth: number,
  ): FileNode {
    const entries = new Map<string, FileEntry>();
    for (const { key, value } of items) {
      const keyNode = key as ParsedNode;
      const keyPlace = this.#place(keyNode.range[0]);
      if (!isScalar(keyNode)) {
        this.problems.push({ place: keyPlace, message: "a key here is a plain word" });
        continue;
      }
      const name = String(keyNode.value);
      // Checked here and not by the parser, which compares each key with every other.
      if (entries.has(name)) {
        this.problems.push({ place: keyPlace, message: `the key \`${name}\` stands here a second time` });
        continue;
      }
      const read =
        value === null
          ? ({ kind: "empty", place: keyPlace, written: "" } as const)
          : this.read(value as Parsed, depth + 1);
      entries.set(name, { keyPlace, value: read });
    }
    return { kind: "mapping", place, entries };
  }

  #scalar(given: string, start: number, end: number): FileNode {
    const { text, variables, problems } = substitute(given, this.#environment);
    const written = this.#text.slice(start, end);
    for (const { at, message } of problems) {
      const inFile = nthReference(written, given, at);
      this.problems.push({ place: this.#place(start + inFile), message });
    }
    const place = this.#place(start);
    if (problems.length > 0) return { kind: "broken", place };
    const quoted = written === `"${text}"` || written === `'${text}'`;
    const begins = quoted ? this.#place(start + 1) : place;
    return { kind: "scalar", place: begins, text, variables, literal: quoted || written === text };
  }

  #broken(place: Place, message: string): FileNode {
    this.problems.push({ place, message });
    return { kind: "broken", place };
  }
}

/** Where the `${` at offset `at` of the value stands in what was written: quotes and escapes may have moved it. */
function nthReference(written: string, value: string, at: number): number {
  const before = value.slice(0, at).split("${").length - 1;
  let offset = written.indexOf("${");
  for (let n = 0; n < before && offset >= 0; n++) offset = written.indexOf("${", offset + 2);
  return Math.max(offset, 0);
}
