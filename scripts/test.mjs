// `npm test`: everything that has to hold, on a fresh clone too. Arguments go to vitest (`npm test -- --project unit`).
// The exit code is that of the first step that failed, and the last line says how many tests passed and failed.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureFakeTime } from "./fake-time.mjs";
import { ensureMysqlServers } from "./mysql-servers.mjs";
import { ensureRedisServers } from "./redis-servers.mjs";
import { ensureS3Server } from "./s3-server.mjs";
import { ensurePythonReaders } from "./python-readers.mjs";
import { checkNode, ensureBuilt, ensureInstalled, ensureOldestPostgres } from "./setup.mjs";
import { orExit, root } from "./steps.mjs";

const RESULTS = join(root, ".cache", "test-results.json");
const vitestArgs = process.argv.slice(2);

orExit(
  () => {
    checkNode();
    ensureInstalled();
    ensureOldestPostgres();
    ensureMysqlServers();
    ensureRedisServers();
    ensureFakeTime();
    ensureS3Server();
    ensurePythonReaders();
    ensureBuilt();
  },
  () => console.log("0 passed, 1 failed"),
);

const bin = (name) => join(root, "node_modules", ".bin", name);
rmSync(RESULTS, { force: true });
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${RESULTS}`];
const steps = [
  ["lint", "oxlint", ["--deny-warnings"]],
  ["format", "oxfmt", ["--check"]],
  ["dead code", "knip", []],
  ["tests", "vitest", ["run", ...reporters, ...vitestArgs]],
];

let exitCode = 0;
for (const [name, program, args] of steps) {
  const start = Date.now();
  console.log(`${name}: ${program} ${args.filter((arg) => !reporters.includes(arg)).join(" ")}`);
  const { status } = spawnSync(bin(program), args, { cwd: root, stdio: "inherit" });
  console.log(`${name}: ${status === 0 ? "ok" : "FAILED"} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  if (exitCode === 0) exitCode = status ?? 1;
}

const count = counted();
if (count.skipped > 0 && vitestArgs.length === 0) {
  console.log(`tests: FAILED: ${count.skipped} were not run, and none may be skipped`);
  exitCode ||= 1;
}
process.exitCode = exitCode;
console.log(`${count.passed} passed, ${count.failed} failed`);

function counted() {
  if (!existsSync(RESULTS)) return { passed: 0, failed: 1, skipped: 0 };
  const results = JSON.parse(readFileSync(RESULTS, "utf8"));
  // A file that does not load, or an error outside of any test, has no failed test of its own.
  const failed = results.numFailedTests === 0 && !results.success ? 1 : results.numFailedTests;
  return { passed: results.numPassedTests, failed, skipped: results.numPendingTests + results.numTodoTests };
}
