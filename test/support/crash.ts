import { FAILPOINTS, type Failpoint } from "../../src/core/ambient.ts";
import { crashFaults, type CrashFaults, NO_FAULTS } from "./crash-faults.ts";
import type { MillraceProcess } from "./millrace-process.ts";
import type { PrivateRedis } from "./private-redis.ts";
import { Random } from "./random.ts";
import { startPrivateRedis } from "./redis.ts";
import { TestDatabase } from "./postgres.ts";
import { createTally } from "./tally.ts";
import { testPipeline, type TestPipeline } from "./test-pipeline.ts";
import { type AnyDatabase, createDatabaseOn } from "./test-server.ts";
import { waitFor } from "./wait-for.ts";
import { createWorkload, type Workload } from "./workload.ts";

export const CRASH_SOURCES = ["postgres", "mysql", "mariadb"] as const;
export const CRASH_STORES = ["file", "redis"] as const;
export const CRASH_SINKS = ["duckdb", "parquet"] as const;

/** What one pipeline is made of. */
export interface CrashPair {
  readonly source: (typeof CRASH_SOURCES)[number];
  readonly store: (typeof CRASH_STORES)[number];
  readonly sink: (typeof CRASH_SINKS)[number];
}

export const CRASH_PAIRS: readonly CrashPair[] = CRASH_SOURCES.flatMap((source) =>
  CRASH_STORES.flatMap((store) => CRASH_SINKS.map((sink) => ({ source, store, sink }))),
);

/** Where a run was killed: at a failpoint, or at a moment that no step was chosen for. */
export type CrashPlace = Failpoint | (typeof OTHER_PLACES)[number];

export const OTHER_PLACES = [
  "random moment",
  "random moment, and Redis with it",
  "asleep, and another run took over",
] as const;
const [AT_RANDOM, REDIS_TOO, ASLEEP] = OTHER_PLACES;

/** What became of some runs of one pair. */
export interface CrashReport {
  readonly kills: ReadonlyMap<CrashPlace, number>;
  /** Runs that came to their line again, and the slowest of them: from the start of the process. */
  readonly recoveries: number;
  readonly slowestRecoveryMs: number;
  readonly transactions: number;
  readonly faults: CrashFaults;
}

export interface CrashChoices {
  readonly seed: number;
  readonly kills: number;
  /** In place of all that the pair passes. */
  readonly places?: readonly CrashPlace[];
  /** The first run is to bring the tables, and is not killed. */
  readonly behindSnapshot?: boolean;
  /** At which time a failpoint kills; default: at one of the first. */
  readonly times?: number;
  /** The command in place of the built one. */
  readonly program?: string;
}

const CATCH_UP_MS = 120_000;
/** A failpoint that a run does not come to in so many epochs is given up for this run. */
const EPOCHS_MAX = 8;
/** Steps of a pipeline that begins: its first runs are killed there. */
const EARLY = /^(source|snapshot)\.|^sink\.table-begun$/;
const EARLY_RUNS = 4;
/** Steps that a run comes to once, or hardly more often. */
const ONCE = /^source\.|\.(base-written|redis-staged|recovered|schema-applied|table-begun)$/;
/** Of runs, where there is anything but failpoints. */
const OTHER_CHANCE = 0.3;
/** How long a run that woke up behind another has to notice it. */
const NOTICE_MS = 20_000;
/** Behind a run's claim, and before its epoch is decided. */
const FALLING_ASLEEP = ["engine.epoch-closing:3", "sink.files-staged:3", "engine.record-stored:3"];

/**
 * One pipeline, from its first row on, of which run after run is killed, under writers that never pause. Then it catches up,
 * and what it delivered is compared with the source, by code that knows nothing of the engine. The choices follow from the
 * seed; what happens in between does not.
 */
export async function crashRound(
  pair: CrashPair,
  { seed, kills, places, behindSnapshot, times, program }: CrashChoices,
): Promise<CrashReport> {
  await using db = await createDatabaseOn(pair.source);
  await using workload = await createWorkload(db, {
    seed,
    rows: 800,
    writers: 2,
    longStatements: 40,
    statementsPerSecond: 600,
  });
  await using tally = await createTally(db, seed);
  await using redis = pair.store === "redis" ? await startRedis() : null;
  await using pipeline = await testPipeline(db, {
    checkpointInterval: "100ms",
    sink: { type: pair.sink },
    pipeline: redis === null ? {} : { "checkpoint.store": redis.url },
    ...(program !== undefined && { program }),
  });
  const random = new Random(seed * CRASH_PAIRS.length + CRASH_PAIRS.indexOf(pair));
  const crash = new Crash({
    pair,
    places: places ?? placesOf(pair),
    times: times ?? null,
    db,
    workload,
    pipeline,
    redis,
    random,
  });
  workload.start();
  tally.start();
  if (behindSnapshot === true) await pipeline.catchUp(CATCH_UP_MS);
  for (let kill = 0; kill < kills; kill++) await crash.runUntilKilled();
  const { committed } = await workload.stop();
  await tally.stop();
  const faults = await caughtUp(pipeline, CATCH_UP_MS);
  return {
    ...crash.counts,
    transactions: committed + tally.steps,
    faults: faults ?? (await crashFaults(pipeline, pair.sink, workload.tables, tally.tables)),
  };
}

/** A pipeline that does not run to its end has lost everything that it did not deliver. */
async function caughtUp(pipeline: TestPipeline, deadlineMs: number): Promise<CrashFaults | null> {
  try {
    await pipeline.catchUp(deadlineMs);
    return null;
  } catch (error) {
    return { ...NO_FAULTS, lost: 1, told: [String(error)] };
  }
}

/** It keeps what it has confirmed, until it is told otherwise: an empty one is another story. */
function startRedis(): Promise<PrivateRedis> {
  return startPrivateRedis({ kind: "redis8", config: { appendonly: "yes", appendfsync: "always" } });
}

interface CrashParts {
  readonly pair: CrashPair;
  readonly places: readonly CrashPlace[];
  readonly times: number | null;
  readonly db: AnyDatabase;
  readonly workload: Workload;
  readonly pipeline: TestPipeline;
  readonly redis: PrivateRedis | null;
  readonly random: Random;
}

class Crash {
  readonly #parts: CrashParts;
  readonly #failpoints: readonly Failpoint[];
  readonly #others: readonly (typeof OTHER_PLACES)[number][];
  readonly #kills = new Map<CrashPlace, number>();
  #recoveries = 0;
  #slowestRecoveryMs = 0;
  #columns = 0;
  #runs = 0;

  constructor(parts: CrashParts) {
    this.#parts = parts;
    this.#failpoints = FAILPOINTS.filter((place) => parts.places.includes(place));
    this.#others = OTHER_PLACES.filter((place) => parts.places.includes(place));
  }

  get counts(): Pick<CrashReport, "kills" | "recoveries" | "slowestRecoveryMs"> {
    return { kills: this.#kills, recoveries: this.#recoveries, slowestRecoveryMs: this.#slowestRecoveryMs };
  }

  async runUntilKilled(): Promise<void> {
    const { random } = this.#parts;
    const isOther = this.#failpoints.length === 0 || (this.#others.length > 0 && random.chance(OTHER_CHANCE));
    const place = isOther ? await this.#other(random.pick(this.#others)) : await this.#atFailpoint();
    this.#kills.set(place, (this.#kills.get(place) ?? 0) + 1);
  }

  /** A run that does not come to its failpoint is killed all the same. */
  async #atFailpoint(): Promise<CrashPlace> {
    const { random } = this.#parts;
    const isEarly = this.#runs++ < EARLY_RUNS;
    const likely = this.#failpoints.filter((failpoint) => EARLY.test(failpoint) === isEarly);
    const failpoint = random.pick(likely.length > 0 ? likely : this.#failpoints);
    const time = this.#parts.times ?? (ONCE.test(failpoint) ? 1 : 1 + random.below(4));
    const run = this.#run([], `${failpoint}:${time}`);
    if (failpoint === "sink.schema-applied") await this.#addColumn();
    await this.#epochs(run, EPOCHS_MAX);
    const byItself = run.hasEnded;
    await killed(run);
    return byItself ? failpoint : AT_RANDOM;
  }

  async #other(place: (typeof OTHER_PLACES)[number]): Promise<CrashPlace> {
    if (place === ASLEEP) await this.#takenOver();
    else await this.#atRandom(place === REDIS_TOO);
    return place;
  }

  async #atRandom(withRedis: boolean): Promise<void> {
    const { random, redis } = this.#parts;
    const run = this.#run();
    if (redis !== null && withRedis) {
      await run.untilOutput(/ running$/m);
      await this.#restart(redis);
    }
    if (random.chance(0.2)) await run.untilOutput(random.pick([/opening the checkpoint/, /inspecting/, /preparing/]));
    else await this.#epochs(run, random.below(5));
    await killed(run);
  }

  /** It sleeps with an epoch half under way while another goes on, and wakes behind it. */
  async #takenOver(): Promise<void> {
    const { db, pipeline, random } = this.#parts;
    const first = this.#run([], `${random.pick(FALLING_ASLEEP)}=SIGSTOP`);
    await first.untilFrozen();
    if (db instanceof TestDatabase) await freeSlot(db, pipeline.slot);
    const second = this.#run(["--take-over"]);
    await this.#epochs(second, 2);
    first.signal("SIGCONT");
    await waitFor("the one that slept to end", () => first.hasEnded, NOTICE_MS).catch(() => undefined);
    await killed(first, "or by itself");
    await this.#epochs(second, 2);
    await killed(second);
  }

  #run(args: readonly string[] = [], failpoint?: string): MillraceProcess {
    const beganMs = performance.now();
    const run = this.#parts.pipeline.run(args, failpoint === undefined ? {} : { MILLRACE_FAILPOINT: failpoint });
    const recovered = (): void => {
      this.#recoveries += 1;
      this.#slowestRecoveryMs = Math.max(this.#slowestRecoveryMs, performance.now() - beganMs);
    };
    // One that is killed before has not recovered; what else ended it is found by whoever kills it.
    run.untilOutput(/ running$/m).then(recovered, () => undefined);
    return run;
  }

  /** Resolves behind so many more epochs, or when the run has ended. */
  async #epochs(run: MillraceProcess, more: number): Promise<void> {
    const { pipeline, workload } = this.#parts;
    let goal: number | null = null;
    await waitFor(`${more} epochs, or the end`, async () => {
      if (run.hasEnded) return true;
      workload.throwIfFailed();
      if (!/ running$/m.test(run.stdout)) return false;
      const epoch = (await pipeline.record())?.epoch ?? 0;
      goal ??= epoch + more;
      return epoch >= goal;
    }).catch((error: unknown) => {
      throw new Error(run.output, { cause: error });
    });
  }

  /** As in production: what it has confirmed may be a second behind on disk. */
  async #restart(redis: PrivateRedis): Promise<void> {
    await redis.command("CONFIG", "SET", "appendfsync", "everysec");
    await this.#parts.workload.untilCommitted(this.#parts.random.below(60));
    await redis.kill();
    await redis.start();
  }

  async #addColumn(): Promise<void> {
    const { db, random } = this.#parts;
    this.#columns += 1;
    const table = random.pick(["orders", "stock"]);
    await db.query(`ALTER TABLE ${table} ADD COLUMN added_${this.#columns} int NOT NULL DEFAULT 7`);
  }
}

/** Fails where the run has ended otherwise before, unless it may. */
async function killed(run: MillraceProcess, how: "by us" | "or by itself" = "by us"): Promise<void> {
  run.signal("SIGKILL");
  const { code, signal } = await run.exit();
  if (signal !== "SIGKILL" && how === "by us") throw new Error(`the run ended by itself, with ${code}\n${run.output}`);
}

/** The server does not know that its reader stands still. */
async function freeSlot(db: TestDatabase, slot: string): Promise<void> {
  const active = "FROM pg_replication_slots WHERE slot_name = $1 AND active";
  await waitFor("the slot to be free", async () => {
    await db.query(`SELECT pg_terminate_backend(active_pid) ${active}`, [slot]);
    return (await db.query(`SELECT ${active}`, [slot])).length === 0;
  });
}

/** All where runs of this pair can be killed. */
function placesOf({ source, store, sink }: CrashPair): readonly CrashPlace[] {
  const passes = (place: CrashPlace): boolean => {
    if (place === REDIS_TOO) return store === "redis";
    // A DuckDB file is open in one process.
    if (place === ASLEEP || place === "sink.files-staged" || place === "sink.file-completed") return sink === "parquet";
    // Its runs read their chunks themselves.
    if (place.startsWith("worker.")) return false;
    if (place.startsWith("source.")) return source === "postgres";
    if (place.startsWith("checkpoint.")) return place.startsWith("checkpoint.redis-") === (store === "redis");
    return true;
  };
  return [...FAILPOINTS, ...OTHER_PLACES].filter(passes);
}
