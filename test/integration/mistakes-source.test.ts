import { expect, test } from "vitest";
import { createRole } from "../support/postgres-role.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { expectRefusal, expectSecretKept, type Refusal } from "../support/refusal.ts";
import { testPipeline, type PipelineChoices } from "../support/test-pipeline.ts";

interface Mistake extends Refusal {
  readonly what: string;
  readonly wrong: PipelineChoices;
  readonly env?: Readonly<Record<string, string>>;
}

const ONCE = { "connect.max-retries": "1", "connect.timeout": "5s" };

const MISTAKES: readonly Mistake[] = [
  {
    what: "a wrong password",
    wrong: {},
    env: { PGPASSWORD: "not-this-one" },
    code: "SOURCE_AUTH",
    says: /password authentication failed for user/,
    hint: /`username` and `password`/,
  },
  {
    what: "no such host",
    wrong: { source: { ...ONCE, hostname: "no-such-host.invalid" } },
    code: "SOURCE_UNREACHABLE",
    says: /no-such-host\.invalid:\d+/,
    hint: /`hostname`/,
  },
  {
    what: "a port where nobody listens",
    wrong: { source: { ...ONCE, port: "1" } },
    code: "SOURCE_UNREACHABLE",
    says: /:1 \(ECONNREFUSED\)/,
    hint: /`port`/,
  },
  {
    what: "no such database",
    wrong: { source: { tables: "no_such_database.public.t" } },
    code: "SOURCE_NO_DATABASE",
    says: /no_such_database/,
    hint: /`tables`/,
  },
  {
    what: "patterns that match nothing",
    wrong: { tables: ["nothing_\\.*"] },
    code: "SOURCE_NO_TABLES",
    says: /matches \S+public\.nothing_/,
    hint: /database\.schema\.table/,
  },
];

async function filled(db: TestDatabase): Promise<void> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
  await db.query("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 300) i");
}

test.each(MISTAKES)("$what is refused with $code, and the corrected file runs", async ({ wrong, env, ...refusal }) => {
  await using db = await createDatabase();
  await using role = await createRole(db, "SUPERUSER");
  await using pipeline = await testPipeline(role, wrong);
  await filled(db);

  for (const command of ["plan", "run"]) {
    await using run = pipeline.command(command, [], env);
    await expectRefusal(run, refusal);
    await expectSecretKept(env?.["PGPASSWORD"] ?? role.password, run, pipeline.path("."));
  }
  await pipeline.write({});
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
});

/** What each hint holds, with the role's and the database's names taken out. */
const STEPS = [
  'ALTER ROLE "me" REPLICATION',
  'GRANT SELECT ON "public"."t" TO "me"',
  'ALTER ROLE "me" BYPASSRLS',
  'GRANT CREATE ON DATABASE "db" TO "me"',
  'ALTER TABLE "public"."t" OWNER TO "me"',
];

test("each missing privilege is named with the statement that gives it, until the pipeline runs", async () => {
  await using db = await createDatabase();
  await using role = await createRole(db, "");
  await using pipeline = await testPipeline(role);
  await filled(db);
  await db.query("ALTER TABLE t ENABLE ROW LEVEL SECURITY");

  for (const step of STEPS) {
    await using run = pipeline.run(["--until", "caught-up"]);
    const says = new RegExp(`user ${role.user} `);
    const statements = await expectRefusal(run, { code: "SOURCE_PRIVILEGE", says, hint: /Run/ });
    await expectSecretKept(role.password, run, pipeline.path("."));
    const shown = statements.map((sql) => sql.replaceAll(role.user, "me").replaceAll(role.database, "db"));
    expect(shown).toContain(step);
    await db.query(statements[shown.indexOf(step)]!);
  }
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
});
