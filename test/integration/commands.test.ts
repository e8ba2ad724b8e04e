import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { StatusReport } from "../../src/cli/status-report.ts";
import { millraceProcess } from "../support/millrace-process.ts";
import { createRole } from "../support/postgres-role.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { projectRoot } from "../support/project-root.ts";
import { startProxy } from "../support/proxy.ts";
import { expectPlainOutput, expectRefusal, expectSecretKept } from "../support/refusal.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

async function filled(db: TestDatabase): Promise<void> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE keyless (v text)");
  await db.query("ALTER TABLE keyless REPLICA IDENTITY FULL");
  await db.query("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 300) i; ANALYZE");
}

/** Runs a command to its end, which must be a good one, and returns what it printed. */
async function printed(pipeline: TestPipeline, name: string, args: readonly string[] = []): Promise<string> {
  await using command = pipeline.command(name, args);
  expect(await command.exit(), command.output).toEqual({ code: 0, signal: null });
  expectPlainOutput(command);
  return command.stdout;
}

async function statusOf(pipeline: TestPipeline): Promise<StatusReport> {
  return JSON.parse(await printed(pipeline, "status", ["--json"])) as StatusReport;
}

/** What this pipeline has on the server. */
async function madeOnSource(db: TestDatabase): Promise<readonly unknown[]> {
  return await db.query(
    `SELECT 'slot' AS what FROM pg_replication_slots WHERE database = current_database()
     UNION ALL SELECT 'publication' FROM pg_publication`,
  );
}

test("plan and validate write nothing, anywhere", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await filled(db);
  expect(await printed(pipeline, "validate")).toMatch(/pipeline\.yaml is valid: pipeline \S+, postgres to duckdb/);
  const plan = await printed(pipeline, "plan");
  expect(plan).toMatch(/public\.t → public\.t\n  about 300 rows, .+; chunks of \(id\), about 3 chunks/);
  expect(plan).toMatch(/public\.keyless → public\.keyless\n  .+one scan under REPLICA IDENTITY FULL/);
  expect(plan).toMatch(/exactly once[^]+2 tables; nothing was written/);
  expect(JSON.parse(await printed(pipeline, "plan", ["--json"]))).toMatchObject({
    pipeline: pipeline.name,
    tables: [{ table: "public.keyless" }, { table: "public.t", key: ["id"], chunksEstimate: 3 }],
    refused: [],
  });
  expect(await madeOnSource(db)).toEqual([]);
  for (const name of [".millrace", "warehouse.duckdb"]) expect(existsSync(pipeline.path(name)), name).toBe(false);
});

test("plan refuses a table that cannot be right, with the statement, and a run does too", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await filled(db);
  await db.query("ALTER TABLE keyless REPLICA IDENTITY DEFAULT; INSERT INTO keyless VALUES ('a')");
  await using plan = pipeline.command("plan");
  expect(await plan.exit(), plan.output).toEqual({ code: 3, signal: null });
  expect(plan.stdout).toMatch(
    /public\.keyless refused\n +error TABLE_NO_IDENTITY: .+\n[^]*1 table, 1 refused; nothing was written/,
  );
  await using run = pipeline.run();
  const statements = await expectRefusal(run, {
    code: "TABLE_NO_IDENTITY",
    says: /public\.keyless/,
    hint: /tables\.exclude/,
  });
  // It is not published, so the application's own statements go on.
  await db.query("UPDATE keyless SET v = 'b'; DELETE FROM keyless");
  await db.query(statements.find((sql) => sql.endsWith("REPLICA IDENTITY FULL"))!);
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "keyless"]);
});

test("status tells of a run that goes on, of one that is over, and where the source is away", async () => {
  await using db = await createDatabase();
  await using role = await createRole(db, "SUPERUSER");
  await using proxy = await startProxy(db);
  const { user, password, database } = role;
  await using pipeline = await testPipeline(
    { host: proxy.host, port: proxy.port, user, password, database },
    { source: { "connect.max-retries": "0" } },
  );
  await filled(db);
  expect(await statusOf(pipeline)).toMatchObject({ version: 1, run: { kind: "never" }, committed: null, tables: [] });

  const run = pipeline.run();
  await pipeline.untilStreaming(["t", "keyless"]);
  // It is written each second.
  await waitFor("the status file to say so", async () => (await pipeline.status()).state.kind === "running");
  const running = await statusOf(pipeline);
  expect(running).toMatchObject({
    pipeline: pipeline.name,
    run: { kind: "running", pid: run.pid, state: { kind: "running" } },
    checkpointProblem: null,
    tables: [{ table: "public.keyless" }, { table: "public.t", incarnation: 1 }],
    source: { kind: "reachable" },
  });
  expect(running.lagMs).toBeGreaterThanOrEqual(0);
  expect(running.committed?.epoch).toBeGreaterThan(0);
  expect(await printed(pipeline, "status")).toMatch(/public\.t/);

  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  const over = await statusOf(pipeline);
  expect(over).toMatchObject({
    run: { kind: "ended", state: { kind: "stopped" } },
    lagMs: null,
    tables: [{ life: { kind: "streaming" } }, { life: { kind: "streaming" }, rowsDone: 300 }],
  });
  expect(over.source.kind === "reachable" ? over.source.status.retainedBytes : null).toBeGreaterThanOrEqual(0);

  proxy.refuse(true);
  proxy.cut();
  const away = await statusOf(pipeline);
  expect(away).toMatchObject({ committed: over.committed, tables: over.tables, source: { kind: "unreachable" } });
  await using shown = pipeline.command("status");
  expect(await shown.exit(), shown.output).toEqual({ code: 0, signal: null });
  await expectSecretKept(password, shown, pipeline.path("."));
});

/** The names of the first column of operating.md's table, without what stands in brackets. */
function documentedFields(): readonly string[] {
  const page = readFileSync(join(projectRoot, "docs", "operating.md"), "utf8");
  const table = /## `status --json`[^]+?\n\| field \|.+\n\|.+\n((?:\|.+\n)+)/.exec(page)?.[1] ?? "";
  return [...table.matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map((it) => it[1]!),
  );
}

test("every field of status --json is in the guide, and every field of the guide is there", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await filled(db);
  await pipeline.catchUp();
  const report = await statusOf(pipeline);
  const run = report.run.kind === "never" ? {} : report.run;
  const top = Object.keys(report).flatMap((key) =>
    key === "run" ? Object.keys(run).map((name) => `run.${name}`) : [key],
  );
  const documented = new Set(
    documentedFields().map((name) => name.replace(/\[\]$/, "").replace(/^(source|run\.state)\..+$/, "$1")),
  );
  expect([...documented].toSorted()).toEqual(top.toSorted());
});

test("drop takes everything away, may be repeated, and needs a yes", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await filled(db);
  await pipeline.catchUp();
  await using unasked = pipeline.command("drop");
  await expectRefusal(unasked, { code: "USAGE", says: /no terminal to ask on/, hint: /--yes/ });
  expect(await madeOnSource(db)).toHaveLength(2);

  expect(await printed(pipeline, "drop", ["--yes"])).toMatch(
    /slot \S+ was dropped\npublication \S+ was dropped\nremoved the checkpoint/,
  );
  expect(await madeOnSource(db)).toEqual([]);
  expect(existsSync(pipeline.path(`.millrace/${pipeline.name}`))).toBe(false);
  await pipeline.expectEqual(["t"]);
  expect(await printed(pipeline, "drop", ["--yes"])).toMatch(
    /slot \S+ was already gone\npublication \S+ was already gone/,
  );
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "keyless"]);
});

test.each([
  { words: ["--help"], code: 0, shows: /Exit codes: 0 done[^]+2 bad usage[^]+130 Ctrl-C/ },
  { words: ["run", "--help"], code: 0, shows: /--until[^]+--resnapshot[^]+Examples:/ },
  { words: ["--version"], code: 0, shows: /^\d+\.\d+\.\d+/ },
  { words: [], code: 2, shows: /error USAGE: a command is missing/ },
  { words: ["rnu", "x.yaml"], code: 2, shows: /error USAGE: .+rnu[^]+Did you mean run\?/ },
  { words: ["run"], code: 2, shows: /error USAGE: .+file/ },
  { words: ["run", "x.yaml", "--until", "tomorrow"], code: 2, shows: /error USAGE: [^]+caught-up/ },
  {
    words: ["run", "/no/such/pipeline.yaml"],
    code: 2,
    shows: /error CONFIG_INVALID: .*\n?.*\/no\/such\/pipeline\.yaml/,
  },
])("millrace $words ends with $code", async ({ words, code, shows }) => {
  await using command = millraceProcess(words);
  expect(await command.exit(), command.output).toEqual({ code, signal: null });
  expect(code === 0 ? command.stdout : command.stderr).toMatch(shows);
  expectPlainOutput(command);
});
