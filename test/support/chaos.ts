import type { MillraceProcess } from "./millrace-process.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import { Random } from "./random.ts";
import { createTally } from "./tally.ts";
import { testPipeline, type TestPipeline } from "./test-pipeline.ts";
import { type AnyDatabase, createDatabaseOn, type ServerName } from "./test-server.ts";
import { waitFor } from "./wait-for.ts";
import { createWorkload, type Workload } from "./workload.ts";

export interface ChaosChoices {
  readonly seed: number;
  /** How often the process is killed; what else happens in between follows from the seed. */
  readonly kills: number;
  /** Of the application; default: as many as it can. */
  readonly statementsPerSecond?: number;
  readonly sink: ChaosSink;
}

export type ChaosSink = "duckdb" | "parquet";

interface ChaosResult {
  /** Of the sink from the source, and what cannot be of a log of changes; empty where all is well. */
  readonly differences: readonly string[];
  /** What happened, for people. */
  readonly told: string;
}

const CATCH_UP_MS = 120_000;
const SLOW_BYTES_PER_SECOND = 200_000;
const ADDED = ["int NOT NULL DEFAULT 7", "varchar(20) DEFAULT 'added'", "decimal(8,2)"];
/** Of columns, in one round. */
const ADDED_MAX = 6;

/** One pipeline from its first row to its last, under writers that never pause and whatever `Chaos` does to it. */
export async function chaosRound(server: ServerName, { kills, sink, ...choices }: ChaosChoices): Promise<ChaosResult> {
  await using db = await createDatabaseOn(server);
  await using proxy = await startProxy(db);
  await using workload = await createWorkload(db, { ...choices, rows: 2_000, writers: 3, longStatements: 100 });
  await using tally = await createTally(db, choices.seed);
  const source = { hostname: proxy.host, port: String(proxy.port) };
  await using pipeline = await testPipeline(db, { parallelism: 3, source, sink: { type: sink } });
  const chaos = new Chaos({ db, proxy, workload, pipeline, random: new Random(choices.seed) });
  workload.start();
  tally.start();
  for (let kill = 0; kill < kills; kill++) await chaos.runUntilKilled();
  // Under load still: the end that it runs to is the source's as it is by then.
  await pipeline.catchUp(CATCH_UP_MS);
  const { committed, emptied } = await workload.stop();
  await tally.stop();
  await pipeline.catchUp();
  const differences = [...(await pipeline.differences([...workload.tables, ...tally.tables]))];
  if (sink === "parquet") differences.push(...(await logFaults(pipeline)));
  return {
    differences,
    told: `${chaos.told}, ${emptied} times emptied tables, ${committed} transactions, ${tally.steps} steps`,
  };
}

async function logFaults(pipeline: TestPipeline): Promise<readonly string[]> {
  await using log = await pipeline.openLog();
  return [...(await log.workloadFaults()), ...(await log.tallyFaults())];
}

const TROUBLES = ["cut", "stall", "slow", "alter"] as const;
type Trouble = (typeof TROUBLES)[number];

/** What can happen to a run before it is killed, at moments that follow from the seed. */
class Chaos {
  readonly #db: AnyDatabase;
  readonly #proxy: Proxy;
  readonly #workload: Workload;
  readonly #pipeline: TestPipeline;
  readonly #random: Random;
  readonly #counts: Record<Trouble | "kill", number> = { kill: 0, cut: 0, stall: 0, slow: 0, alter: 0 };

  constructor(parts: { db: AnyDatabase; proxy: Proxy; workload: Workload; pipeline: TestPipeline; random: Random }) {
    this.#db = parts.db;
    this.#proxy = parts.proxy;
    this.#workload = parts.workload;
    this.#pipeline = parts.pipeline;
    this.#random = parts.random;
  }

  get told(): string {
    const { kill, cut, stall, slow, alter } = this.#counts;
    return `${kill} kills, ${cut} cuts, ${stall} stalls, ${slow} slow stretches, ${alter} added columns`;
  }

  async runUntilKilled(): Promise<void> {
    const run = this.#pipeline.run();
    for (let troubles = this.#random.below(3); troubles > 0; troubles--) {
      await this.#someMoment(run);
      await this.#trouble(this.#random.pick(this.#counts.alter < ADDED_MAX ? TROUBLES : TROUBLES.slice(0, -1)));
    }
    await this.#someMoment(run);
    run.signal("SIGKILL");
    const { signal } = await run.exit();
    if (signal !== "SIGKILL") throw new Error(`the run ended before it was killed\n${run.output}`);
    this.#counts.kill += 1;
  }

  async #trouble(trouble: Trouble): Promise<void> {
    this.#counts[trouble] += 1;
    switch (trouble) {
      case "cut":
        this.#proxy.cut();
        break;
      case "stall":
        this.#proxy.stall();
        await this.#workload.untilCommitted(this.#random.below(100));
        this.#proxy.resume();
        break;
      case "slow":
        this.#proxy.throttle(SLOW_BYTES_PER_SECOND);
        await this.#workload.untilCommitted(this.#random.below(100));
        this.#proxy.throttle(Number.POSITIVE_INFINITY);
        break;
      case "alter":
        await this.#addColumn();
    }
  }

  async #addColumn(): Promise<void> {
    const table = this.#random.pick(["orders", "stock"]);
    await this.#db.query(`ALTER TABLE ${table} ADD COLUMN added_${this.#counts.alter} ${this.#random.pick(ADDED)}`);
  }

  /** Somewhere in a start, behind some epochs of this run, or behind some of the application's commits. */
  async #someMoment(run: MillraceProcess): Promise<void> {
    if (this.#random.chance(0.2)) {
      await run.untilOutput(this.#random.pick([/opening the checkpoint/, /inspecting/, /preparing/, /running/]));
      return;
    }
    await run.untilOutput(/ running$/m);
    this.#workload.truncates = true;
    if (this.#random.chance(0.3)) return await this.#workload.untilCommitted(this.#random.below(150));
    const goal = ((await this.#pipeline.record())?.epoch ?? 0) + 1 + this.#random.below(6);
    const reached = async (): Promise<boolean> => {
      if (((await this.#pipeline.record())?.epoch ?? 0) >= goal) return true;
      this.#workload.throwIfFailed();
      if (run.hasEnded) throw new Error("the run is over");
      return false;
    };
    await waitFor(`epoch ${goal}`, reached).catch((error: unknown) => {
      throw new Error(run.output, { cause: error });
    });
  }
}
