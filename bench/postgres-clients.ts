import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../test/support/project-root.ts";

/** PostgreSQL's own clients, which are the limits that the benchmarks measure against. */
export interface PostgresClients {
  readonly psql: string;
  readonly recvlogical: string;
  /** What their libraries need, where they were fetched and not installed. */
  readonly env: Readonly<Record<string, string>>;
}

const DEBIAN_VERSIONS = "/usr/lib/postgresql";
const FETCHED = join(projectRoot, ".cache", "postgres-client");

/**
 * From an installed `postgresql-client`, else from the Debian package, unpacked under .cache/ (which needs no root). Past
 * Debian's wrapper in /usr/bin where possible: it is a Perl program, and its start would be measured too.
 */
export function postgresClients(): PostgresClients {
  return inFolders(versionsUnder(DEBIAN_VERSIONS), {}) ?? inFolders(pathFolders(), {}) ?? fetched() ?? fetch();
}

function inFolders(folders: readonly string[], env: Readonly<Record<string, string>>): PostgresClients | null {
  const folder = folders.find((f) => ["psql", "pg_recvlogical"].every((program) => existsSync(join(f, program))));
  if (folder === undefined) return null;
  return { psql: join(folder, "psql"), recvlogical: join(folder, "pg_recvlogical"), env };
}

/** Newest first. */
function versionsUnder(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const versions = readdirSync(folder).toSorted((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(folder, version, "bin"));
}

function pathFolders(): readonly string[] {
  return (process.env["PATH"] ?? "").split(":").filter((folder) => folder !== "");
}

function fetched(): PostgresClients | null {
  const libraries = join(FETCHED, "usr", "lib");
  if (!existsSync(libraries)) return null;
  const folders = readdirSync(libraries).map((name) => join(libraries, name));
  return inFolders(versionsUnder(join(FETCHED, DEBIAN_VERSIONS)), { LD_LIBRARY_PATH: folders.join(":") });
}

function fetch(): PostgresClients {
  const unfinished = `${FETCHED}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  try {
    execFileSync("apt-get", ["download", ...packagesToFetch()], { cwd: unfinished, stdio: "pipe" });
    for (const file of readdirSync(unfinished).filter((name) => name.endsWith(".deb")))
      execFileSync("dpkg", ["-x", file, "."], { cwd: unfinished, stdio: "pipe" });
  } catch (error) {
    throw new Error(
      "psql and pg_recvlogical are missing, and their Debian packages cannot be fetched: install PostgreSQL's client programs",
      { cause: error },
    );
  }
  renameSync(unfinished, FETCHED);
  const clients = fetched();
  if (clients === null) throw new Error(`no psql or pg_recvlogical in the packages unpacked to ${FETCHED}`);
  return clients;
}

/** `postgresql-client` and all that it needs and this machine has not. */
function packagesToFetch(): readonly string[] {
  const kinds = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);
  const closure = execFileSync("apt-cache", ["depends", "--recurse", ...kinds, "postgresql-client"], {
    encoding: "utf8",
  });
  const names = closure.split("\n").filter((line) => /^[a-z0-9]/.test(line));
  return names.filter((name) => {
    const query = spawnSync("dpkg-query", ["-W", "-f", "${Status}", name], { encoding: "utf8" });
    return !query.stdout.includes("ok installed");
  });
}
