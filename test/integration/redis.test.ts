import { expect, test } from "vitest";
import type { MillraceProcess } from "../support/millrace-process.ts";
import { createDatabase } from "../support/postgres.ts";
import type { PrivateRedis } from "../support/private-redis.ts";
import { startProxy } from "../support/proxy.ts";
import { redisBytes } from "../support/redis-command.ts";
import { startPrivateRedis } from "../support/redis.ts";
import { expectRefusal } from "../support/refusal.ts";
import { createTally, type Tally } from "../support/tally.ts";
import { type PipelineChoices, testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn } from "../support/test-server.ts";
import { TlsProxy } from "../support/tls-proxy.ts";
import { waitFor } from "../support/wait-for.ts";

const DONE = { code: 0, signal: null };
const KEPT = { appendonly: "yes", appendfsync: "always" } as const;

function choices(url: string, more: PipelineChoices = {}): PipelineChoices {
  return { sink: { type: "parquet" }, ...more, pipeline: { "checkpoint.store": url } };
}

async function ended(run: MillraceProcess): Promise<void> {
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual(DONE);
}

async function expectOnce(pipeline: TestPipeline, { tables }: Tally): Promise<void> {
  expect(await pipeline.differences(tables)).toEqual([]);
  await using log = await pipeline.openLog();
  expect(await log.tallyFaults()).toEqual([]);
}

async function committed(pipeline: TestPipeline): Promise<number> {
  return (await pipeline.record())?.epoch ?? 0;
}

test("a Redis that goes away is waited for: the status says so, nothing is acknowledged, nothing is lost", async () => {
  await using db = await createDatabase();
  await using tally = await createTally(db, 1);
  await using redis = await startPrivateRedis({ kind: "redis8", config: KEPT });
  await using pipeline = await testPipeline(db, choices(redis.url));
  const run = pipeline.run();
  await pipeline.untilStreaming(tally.tables);
  const slot = async (): Promise<string> => {
    const query = "SELECT confirmed_flush_lsn::text AS at FROM pg_replication_slots WHERE slot_name = $1";
    return (await db.query<{ at: string }>(query, [pipeline.slot]))[0]!.at;
  };
  await redis.kill();
  tally.start();
  await run.untilOutput(/waiting for the checkpoint store/);
  await waitFor("the status to say it", async () =>
    (await pipeline.status()).state.facts.waitingOn?.includes(redis.url),
  );
  // What was committed before has been acknowledged by now.
  const before = await slot();
  await tally.untilSteps(30);
  expect(await slot()).toBe(before);
  await redis.start();
  await tally.untilSteps(30);
  await tally.stop();
  await waitFor(
    "the status to say that it goes on",
    async () => (await pipeline.status()).state.facts.waitingOn === null,
  );
  await ended(run);
  await pipeline.catchUp();
  await expectOnce(pipeline, tally);
});

test("a Redis that says nothing for long is waited for, and a run that waits for it ends when it is told to", async () => {
  await using db = await createDatabase();
  await db.query("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (0)");
  await using redis = await startPrivateRedis({ kind: "valkey" });
  await using pipeline = await testPipeline(db, choices(redis.url));
  const run = pipeline.run();
  await pipeline.untilStreaming(["t"]);
  await redis.pause();
  await db.query("INSERT INTO t VALUES (1)");
  await run.untilOutput(/waiting for the checkpoint store/);
  redis.resume();
  await waitFor("the row", async () => (await pipeline.differences(["t"])).length === 0);
  await redis.pause();
  await db.query("INSERT INTO t VALUES (2)");
  await ended(run);
  redis.resume();
  await pipeline.catchUp();
  expect(await pipeline.differences(["t"])).toEqual([]);
});

test("a Redis that is emptied ends the run with the ways out, and the sink restores it", async () => {
  await using db = await createDatabase();
  await using tally = await createTally(db, 2);
  await using redis = await startPrivateRedis({ kind: "redis7" });
  await using pipeline = await testPipeline(db, choices(redis.url));
  tally.start();
  const run = pipeline.run();
  await pipeline.untilStreaming(tally.tables);
  await redis.command("FLUSHALL");
  const refusal = { code: "RECOVERY_STORE_EMPTY", says: /store is empty/, hint: /millrace state adopt.*drop/ } as const;
  await expectRefusal(run, refusal);
  expect(run.stderr).toContain("CHECKPOINT_BEHIND");
  await using again = pipeline.run();
  await expectRefusal(again, refusal);
  await tally.stop();
  await pipeline.adopt();
  await pipeline.catchUp();
  await expectOnce(pipeline, tally);
});

test("a Redis that comes back older than the sink is brought forward, under a run and between two", async () => {
  await using db = await createDatabaseOn("mariadb");
  await using tally = await createTally(db, 3);
  await using redis = await startPrivateRedis({ kind: "redis8" });
  await using pipeline = await testPipeline(db, choices(redis.url));
  tally.start();
  const run = pipeline.run();
  await pipeline.untilStreaming(tally.tables);
  for (let time = 0; time < 3; time++) {
    const older = await copied(redis);
    await goneOn(pipeline, 4);
    await putBack(redis, older);
    await run.untilOutput(new RegExp(`(?:CHECKPOINT_BEHIND[^]*){${time + 1}}"store":"bring-forward"`));
    await goneOn(pipeline, 2);
  }
  const older = await copied(redis);
  await goneOn(pipeline, 4);
  await ended(run);
  await putBack(redis, older);
  await tally.stop();
  await using next = pipeline.run(["--until", "caught-up"]);
  expect(await next.exit(), next.output).toEqual(DONE);
  expect(next.stderr).toContain('"store":"bring-forward"');
  await expectOnce(pipeline, tally);
});

/** Epochs that are committed from now on. */
async function goneOn(pipeline: TestPipeline, more: number): Promise<void> {
  const goal = (await committed(pipeline)) + more;
  await waitFor(`epoch ${goal}`, async () => (await committed(pipeline)) >= goal);
}

type Copy = readonly (readonly [key: string, dump: Buffer])[];

/** All keys as they are at one moment, but for who has the store. */
async function copied(redis: PrivateRedis): Promise<Copy> {
  const script = `local all = {}
    for _, key in ipairs(redis.call('KEYS', '*')) do
      if not string.find(key, ':holder$') then
        table.insert(all, key)
        table.insert(all, redis.call('DUMP', key))
      end
    end
    return all`;
  const flat = await redisBytes(redis, "EVAL", script, "0");
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!.toString(), flat[2 * i + 1]!] as const);
}

/** In one step: a server that fails over does so, too. */
async function putBack(redis: PrivateRedis, copy: Copy): Promise<void> {
  const script = `for _, key in ipairs(redis.call('KEYS', '*')) do
      if not string.find(key, ':holder$') then redis.call('DEL', key) end
    end
    for i, key in ipairs(KEYS) do redis.call('RESTORE', key, 0, ARGV[i]) end
    return {}`;
  const keys = copy.map(([key]) => key);
  await redisBytes(redis, "EVAL", script, String(keys.length), ...keys, ...copy.map(([, dump]) => dump));
}

test("two daemons on two sides of a cut: the one behind ends fenced, and nothing is lost or twice", async () => {
  await using db = await createDatabaseOn("mysql");
  await using tally = await createTally(db, 4);
  await using master = await startPrivateRedis({ kind: "redis8" });
  await using replica = await startPrivateRedis({ kind: "redis8" });
  await using proxy = await startProxy(master);
  await replica.replicateOf(master);
  const cutOff = choices(`redis://${proxy.host}:${proxy.port}`);
  await using pipeline = await testPipeline(db, cutOff);
  tally.start();
  const first = pipeline.run();
  await pipeline.untilStreaming(tally.tables);
  // From here on the replica hears of nothing, and is what others find.
  await replica.promote();
  await goneOn(pipeline, 5);
  const other = choices(replica.url, { source: { "server-id": "77002", "connect.max-retries": "0" } });
  await pipeline.write(other);
  // The first lives, as the replica has it.
  await using second = pipeline.run(["--take-over"], { MILLRACE_FAILPOINT: "engine.recovered=SIGSTOP" });
  await second.untilFrozen();
  // It has read its file; the first's store is the one that says how far the first is.
  await pipeline.write(cutOff);
  await goneOn(pipeline, 2);
  await pipeline.write(other);
  second.signal("SIGCONT");
  await second.untilOutput(/ running$/m);
  expect(second.stderr).toContain("OVERTAKEN");
  await expectRefusal(first, { code: "FENCED", says: /taken over/, hint: /one copy/ });
  await tally.untilSteps(20);
  await tally.stop();
  await ended(second);
  await pipeline.catchUp();
  await expectOnce(pipeline, tally);
});

test.each(["engine.epoch-closing", "sink.files-staged", "engine.record-stored"])(
  "a daemon that sleeps at %s through a takeover makes nothing visible when it wakes",
  async (failpoint) => {
    await using db = await createDatabase();
    await using tally = await createTally(db, 5);
    await using redis = await startPrivateRedis({ kind: "redis8" });
    await using pipeline = await testPipeline(db, choices(redis.url));
    await pipeline.catchUp();
    tally.start();
    await tally.untilSteps(10);
    // Behind its claim.
    await using first = pipeline.run([], { MILLRACE_FAILPOINT: `${failpoint}:3=SIGSTOP` });
    await first.untilFrozen();
    await waitFor("the slot to be free", async () => {
      const active = "FROM pg_replication_slots WHERE slot_name = $1 AND active";
      await db.query(`SELECT pg_terminate_backend(active_pid) ${active}`, [pipeline.slot]);
      return (await db.query(`SELECT ${active}`, [pipeline.slot])).length === 0;
    });
    await using second = pipeline.run(["--take-over"]);
    await second.untilOutput(/ running$/m);
    await goneOn(pipeline, 2);
    first.signal("SIGCONT");
    await expectRefusal(first, { code: "FENCED", says: /taken over|token/, hint: /one copy/ });
    await tally.untilSteps(10);
    await tally.stop();
    await ended(second);
    await pipeline.catchUp();
    await expectOnce(pipeline, tally);
  },
);

test("a Redis behind TLS is used where its certificate is trusted, and else it is said why not", async () => {
  await using db = await createDatabase();
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
  await db.query("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 1000) i");
  await using redis = await startPrivateRedis({ kind: "redis8", password: "behind TLS" });
  await using proxy = await TlsProxy.start(redis);
  const pipeline = { "checkpoint.store": `rediss://:behind%20TLS@${proxy.host}:${proxy.port}` };
  const queue = { "snapshot.executor": "bullmq", staging: "./staging" };
  const source = { "connect.max-retries": "0" };
  await using trusting = await testPipeline(db, { source, pipeline: { ...pipeline, ...queue } });
  await expectRefusal(trusting.run(), {
    code: "CHECKPOINT_UNREACHABLE",
    says: /self-signed certificate/,
    hint: /checkpoint\.store/,
  });
  const env = { NODE_EXTRA_CA_CERTS: proxy.certificateFile };
  await using worker = trusting.command("worker", [], env);
  await worker.untilOutput(/waiting for chunks/);
  await using run = trusting.run(["--until", "caught-up"], env);
  expect(await run.exit(), run.output).toEqual(DONE);
  expect(await trusting.differences(["t"])).toEqual([]);
  expect(await redis.command<string[]>("KEYS", "*:head")).toHaveLength(1);
});
