import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorsPage } from "../scripts/errors-page.ts";
import { ERROR_CODES } from "../src/core/error-codes.ts";
import { projectRoot } from "./support/project-root.ts";
import { importCycles, type SourceFile, sourceFiles } from "./support/source-files.ts";

/**
 * What each room of src/ may import beside itself (docs/ARCHITECTURE.md). Every room but these two may also import core
 * and flow.
 */
const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  cli: ["server", "pipeline", "observe"],
  server: ["pipeline", "engine", "observe"],
  pipeline: ["sources", "sinks", "checkpoint", "transform", "snapshot", "stores", "formats", "observe", "engine"],
  engine: ["snapshot", "transform"],
  sinks: ["formats", "stores"],
  snapshot: ["formats", "stores"],
  checkpoint: ["formats", "stores"],
  sources: ["decoding"],
  decoding: [],
  transform: [],
  formats: [],
  stores: [],
  observe: [],
  flow: [],
  core: [],
};

/** Where a package lives: nobody else knows that it is there. */
const HOMES: Readonly<Record<string, string>> = {
  mysql2: "src/sources/mysql/",
  pg: "src/sources/postgres/",
  "pg-copy-streams": "src/sources/postgres/",
  "pg-logical-replication": "src/sources/postgres/",
  "@duckdb/node-api": "src/sinks/duckdb/",
  "@duckdb/node-bindings": "src/sinks/duckdb/",
  "@aws-sdk/client-s3": "src/stores/s3/",
  "parquet-wasm": "src/formats/parquet/",
  "apache-arrow": "src/formats/arrow/",
  ioredis: "src/checkpoint/redis/",
  bullmq: "src/snapshot/bullmq/",
  commander: "src/cli/",
  pino: "src/observe/",
  yaml: "src/pipeline/",
};

/** Rooms in which every folder is a connector of its own. */
const CONNECTOR_ROOMS = ["sources", "sinks"];
/** The catalog of connectors, and the part of it that worker threads load. */
const CATALOG = ["src/pipeline/catalog.ts", "src/pipeline/chunk-readers.ts"];

const BANNED_NAMES = /(^|\/)(utils?|types?|common|helpers?|misc|index)(\/|\.ts$)/;
/** Files that may break a rule, for a reason given beside them. This list may only get shorter. */
const EXCEPTIONS: ReadonlySet<string> = new Set();

const files = sourceFiles().filter(({ path }) => !EXCEPTIONS.has(path));
const product = files.filter(({ path }) => path.startsWith("src/") && !isTest(path));
const tests = files.filter(({ path }) => isTest(path));

function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || (path.startsWith("test/") && !path.startsWith("test/support/"));
}

function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** `sources/postgres` of a file of a connector. */
function connectorOf(path: string): string | undefined {
  const connector = /^src\/(([^/]+)\/[^/]+)\//.exec(path);
  return CONNECTOR_ROOMS.includes(connector?.[2] ?? "") ? connector?.[1] : undefined;
}

/** `src/sources/mysql/binlog` of a file in a folder of a connector's own. */
function folderOf(path: string): string | undefined {
  return connectorOf(path) === undefined ? undefined : /^(src\/[^/]+\/[^/]+\/[^/]+)\//.exec(path)?.[1];
}

/** `apache-arrow` of `apache-arrow/schema`, `@duckdb/node-api` of itself. */
function packageOf(specifier: string): string {
  return /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

function mayImport(from: string, to: string): boolean {
  const [room, target] = [roomOf(from) ?? "", roomOf(to)];
  if (target === undefined) return isTest(from) || !/^(test|bench|demo|scripts)\//.test(to);
  if (room === target) return connectorOf(from) === connectorOf(to);
  const isOpen = target === "core" ? true : target === "flow" && room !== "core";
  return isOpen || (DIRECTIONS[room]?.includes(target) ?? false);
}

/** `path: what` for every match of `pattern`, with the line it stands in. */
function matches(among: readonly SourceFile[], pattern: RegExp): readonly string[] {
  return among.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  );
}

describe("the rooms of src/", () => {
  it("have a place in the table of directions", () => {
    const rooms = new Set(product.map(({ path }) => roomOf(path)));
    expect([...rooms].filter((room) => room === undefined || DIRECTIONS[room] === undefined)).toEqual([]);
  });

  it("import only what lies in their direction, and no connector another", () => {
    const wrong = files
      .filter(({ path }) => path.startsWith("src/"))
      .flatMap(({ path, imports }) => imports.filter((to) => !mayImport(path, to)).map((to) => `${path} → ${to}`));
    expect(wrong).toEqual([]);
  });

  it("get sources and sinks from the catalog alone", () => {
    const isImplementation = (path: string): boolean =>
      connectorOf(path) !== undefined && /\/(source|sink|chunks)\.ts$/.test(path);
    const wrong = product
      .filter(({ path }) => !CATALOG.includes(path) && connectorOf(path) === undefined)
      .flatMap(({ path, imports }) => imports.filter(isImplementation).map((to) => `${path} → ${to}`));
    expect(wrong).toEqual([]);
  });

  it("keep each package in its home", () => {
    const isElsewhere = (path: string, home: string | undefined): boolean =>
      home !== undefined && !path.startsWith(home);
    const wrong = product.flatMap(({ path, imports }) =>
      imports.filter((to) => isElsewhere(path, HOMES[packageOf(to)])).map((to) => `${path} → ${to}`),
    );
    expect(wrong).toEqual([]);
  });

  it("import in no circle, of types neither", () => {
    expect(importCycles(files)).toEqual([]);
  });

  it("have connectors whose folders import each other in no circle", () => {
    const inFolders = product.filter(({ path }) => folderOf(path) !== undefined);
    const folders = [...new Set(inFolders.map(({ path }) => folderOf(path)!))].map((folder) => {
      const imports = inFolders
        .filter(({ path }) => folderOf(path) === folder)
        .flatMap((file) => file.imports.map(folderOf));
      return { path: folder, text: "", imports: imports.filter((to) => to !== undefined && to !== folder) as string[] };
    });
    expect(folders.length).toBeGreaterThan(3);
    expect(importCycles(folders)).toEqual([]);
  });
});

describe("a file", () => {
  it("has a name that says what is in it", () => {
    expect(files.map(({ path }) => path).filter((path) => BANNED_NAMES.test(path))).toEqual([]);
  });

  it("does not switch a rule of the linter or the compiler off: sizes, `any` and process are theirs", () => {
    expect(matches(files, /\/[/*].*((ox|es)lint-(disable|enable)|@ts-(ignore|expect-error|nocheck))/)).toEqual([]);
  });
});

describe("a test", () => {
  it("waits for events and conditions and does not sleep", () => {
    expect(matches(tests, /(?<!["'`.\w])(setTimeout|setInterval|sleep|delay)\(|node:timer[s]/)).toEqual([]);
  });

  it("is neither skipped nor alone nor tried again", () => {
    expect(
      matches(tests, /\b(it|test|describe|context|task)\.(skip|only|todo|fails|skipIf|runIf)\b|\bretry:\s*\d/),
    ).toEqual([]);
  });

  it("does not put a mock in the place of a module", () => {
    expect(matches(tests, /\bvi\.(mock|doMock)\(/)).toEqual([]);
  });
});

describe("the error table", () => {
  const codes = Object.keys(ERROR_CODES);

  it("has no code that nothing raises", () => {
    const raising = product.filter(({ path }) => path !== "src/core/error-codes.ts");
    expect(codes.filter((code) => !raising.some(({ text }) => text.includes(`"${code}"`)))).toEqual([]);
  });

  it("explains every code in sentences", () => {
    const entries = Object.entries(ERROR_CODES).flatMap(([code, { meaning, action }]) => [
      [code, meaning] as const,
      [code, action] as const,
    ]);
    expect(entries.filter(([, text]) => !/^[A-Z`].{15,}\.$/s.test(text))).toEqual([]);
  });

  it("is what docs/errors.md says: `npm run docs` writes it", () => {
    expect(readFileSync(join(projectRoot, "docs", "errors.md"), "utf8")).toBe(errorsPage());
  });
});
