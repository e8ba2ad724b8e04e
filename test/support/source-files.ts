import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./project-root.ts";

export interface SourceFile {
  /** From the project's folder: `src/core/sink.ts`. */
  readonly path: string;
  readonly text: string;
  /** What it imports, in any form: of the project's own files their path, of others their specifier. */
  readonly imports: readonly string[];
}

const FOLDERS = ["src", "test", "bench", "demo", "scripts"];

/** Every file of ours that is TypeScript. */
export function sourceFiles(): readonly SourceFile[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(projectRoot, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
      .map(sourceFile),
  );
}

function sourceFile(path: string): SourceFile {
  const text = readFileSync(join(projectRoot, path), "utf8");
  const imports = importSpecifiers(text).map((specifier) =>
    specifier.startsWith(".") ? resolved(path, specifier) : specifier,
  );
  return { path, text, imports };
}

function resolved(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

const COMMENTS = /\/\*.*?\*\/|(?<=^|\s)\/\/[^\n]*/gs;
const FORMS = [
  // import x from "…", import type { y } from "…", export * from "…"
  /(?<=^|[;}\n])[ \t]*(?:import|export)\b[^"'`;()=]*?\bfrom\s*["']([^"']+)["']/g,
  // import "…"
  /(?<=^|[;}\n])[ \t]*import\s*["']([^"']+)["']/g,
  // import("…"), as a value and as a type
  /\bimport\s*\(\s*["']([^"']+)["']/g,
];

/** What a module names in its imports and re-exports, without parsing it: the compiler has no API to ask. */
export function importSpecifiers(text: string): readonly string[] {
  const code = text.replace(COMMENTS, "");
  return FORMS.flatMap((form) => [...code.matchAll(form)].map((match) => match[1] ?? ""));
}

/** Cycles of imports among the files, each as the path that goes round; empty where there is none. */
export function importCycles(files: readonly SourceFile[]): readonly string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
    if (done.has(path) || trail.includes(path)) return;
    for (const next of byPath.get(path)?.imports ?? []) if (byPath.has(next)) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return cycles;
}
