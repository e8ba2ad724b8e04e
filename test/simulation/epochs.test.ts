import { describe, expect, test } from "vitest";
import { MillraceError } from "../../src/core/errors.ts";
import { LOG_ROWS, ModelSink, ModelSource, ModelStore, Violation } from "./epoch-model.ts";
import { MUTATIONS, STAGED_MUTATIONS, type Mutation } from "./epoch-mutation.ts";
import { BrokenConnection, engineRun, type RunEnd, type Stage, type World } from "./epoch-run.ts";
import { Random } from "./random.ts";
import { StagedSink } from "./staged-model.ts";

/** `SIMULATION_HISTORIES=1000000 SIMULATION_SEED=1 npx vitest run test/simulation/epochs.test.ts` */
const HISTORIES = Number(process.env["SIMULATION_HISTORIES"] ?? 20_000);
const SEED = Number(process.env["SIMULATION_SEED"] ?? Date.now() % 2 ** 31);
const STEPS_MAX = 120;
const CALM_STEPS_MAX = 400;

interface Engine {
  readonly name: number;
  readonly run: Generator<Stage, RunEnd, void>;
  stage: Stage;
}

/** One history: engines that start, crash, freeze and wake up again over one store, one sink and one source. */
class History {
  readonly #random: Random;
  readonly #world: World;
  readonly #trace: string[] = [];
  /** What may lose state that was durable. Not both: the tokens would be lost with it, and no number tells old from new. */
  readonly #loses: "store" | "sink" | "nothing";
  #engines: Engine[] = [];
  #started = 0;
  #operator: "none" | "sink" = "none";
  #lastToken = 0;
  #done = false;

  constructor(seed: number, mutation: Mutation, sink: "transactional" | "staged") {
    this.#random = new Random(seed);
    this.#loses = this.#random.of(["store", "sink", "nothing"] as const);
    this.#world = {
      store: new ModelStore(mutation),
      sink: sink === "staged" ? new StagedSink(mutation) : new ModelSink(mutation),
      source: new ModelSource(),
      inFlight: [],
      mutation,
      claimed: 0,
      calm: false,
    };
  }

  run(): void {
    try {
      const steps = this.#random.between(10, STEPS_MAX);
      for (let step = 0; step < steps; step++) this.#disturb();
      this.#finish();
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new Violation(`${what}\n  ${this.#trace.join("\n  ")}`);
    }
  }

  #disturb(): void {
    const { store, sink, inFlight } = this.#world;
    const fate = this.#random.below(1000);
    if (fate < 40 && this.#engines.length < 3) this.#start();
    else if (fate < 70 && this.#engines.length > 0) this.#crash(this.#random.of(this.#engines));
    else if (fate < 110 && inFlight.length > 0) this.#arrive();
    else if (fate < 120 && this.#loses === "store")
      this.#say("the store loses writes", () => store.loseWrites(this.#random.between(1, 9)));
    else if (fate < 140 && this.#loses === "sink")
      this.#say("the sink is restored from a backup", () => this.#restore(sink));
    // No request is on its way for as long as a store keeps what is unfinished.
    else if (fate < 145 && sink instanceof StagedSink && inFlight.length === 0)
      this.#say("something staged expires", () => sink.expire());
    else if (this.#engines.length === 0) this.#start();
    else this.#advance(this.#random.of(this.#engines));
    this.#check();
  }

  /** Every engine but one is gone, nothing fails any more: everything must arrive, in a bounded number of steps. */
  #finish(): void {
    this.#engines = [];
    this.#trace.push("all engines end, calm");
    while (this.#world.inFlight.length > 0) this.#arrive();
    this.#world.calm = true;
    this.#done = false;
    for (let step = 0; !this.#done; step++) {
      if (step > CALM_STEPS_MAX) throw new Violation("no progress");
      if (this.#engines.length === 0) this.#start();
      this.#advance(this.#engines[0]!);
      this.#check();
    }
    if (this.#world.sink.rows !== LOG_ROWS) throw new Violation(`${this.#world.sink.rows} rows arrived`);
    if (this.#world.source.acknowledged !== LOG_ROWS) throw new Violation("the source keeps its log for ever");
  }

  #start(): void {
    const name = ++this.#started;
    this.#engines.push({ name, run: engineRun(this.#world, this.#random, this.#operator), stage: "start" });
    this.#trace.push(`engine ${name} starts, operator: ${this.#operator}`);
    this.#operator = "none";
  }

  #crash(engine: Engine): void {
    this.#trace.push(`engine ${engine.name} crashes before ${engine.stage}`);
    this.#engines = this.#engines.filter((other) => other !== engine);
  }

  #advance(engine: Engine): void {
    this.#trace.push(`engine ${engine.name}: ${engine.stage}`);
    try {
      const { done, value } = engine.run.next();
      if (done !== true) {
        engine.stage = value;
        return;
      }
      this.#end(value);
    } catch (error) {
      if (!(error instanceof BrokenConnection) && !isOvertaken(error)) throw error;
      this.#trace.push(`engine ${engine.name} ends: ${error instanceof MillraceError ? error.message : "connection"}`);
    }
    this.#engines = this.#engines.filter((other) => other !== engine);
  }

  /** A refusal is only right where something was really lost; the operator then decides for the sink. */
  #end(end: RunEnd): void {
    this.#trace.push(`it ends: ${end.kind === "refused" ? end.error.code : end.kind}`);
    if (end.kind === "caught-up") {
      this.#done = true;
      return;
    }
    if (end.overtaken) return;
    const { store, sink } = this.#world;
    const justified = end.error.code === "RECOVERY_STORE_EMPTY" ? store.hasLost : sink.wasRestored;
    if (!justified || end.error.code === "RECOVERY_SINK_EMPTY") throw new Violation(`refused: ${end.error.message}`);
    this.#operator = "sink";
  }

  /** Whatever was in flight; perhaps again later. What it is answered nobody hears. */
  #arrive(): void {
    const { inFlight } = this.#world;
    const at = this.#random.below(inFlight.length);
    const request = inFlight[at]!;
    if (this.#random.chance(0.8) || inFlight.length > 5) inFlight.splice(at, 1);
    this.#trace.push("a late request arrives");
    try {
      request();
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    }
  }

  /**
   * With the source's log of that time, so whatever starts or acknowledges is ended first, and what is in flight breaks
   * off. One engine may stay frozen through it. (Two could commit after each other, the second on an epoch of the
   * first's number that is not the one it followed: neither the epoch nor the token tells.)
   */
  #restore(sink: World["sink"]): void {
    const frozen = this.#engines.filter((engine) => engine.stage !== "acknowledge" && engine.stage !== "start");
    if (!sink.restore(this.#random.between(1, 4))) return;
    this.#engines = frozen.slice(0, 1);
    this.#world.inFlight.length = 0;
    this.#world.source.acknowledged = Math.min(this.#world.source.acknowledged, sink.rows);
    this.#lastToken = sink.record?.token ?? 0;
  }

  #say(what: string, act: () => void): void {
    this.#trace.push(what);
    act();
  }

  #check(): void {
    const { source, sink } = this.#world;
    if (source.acknowledged > sink.rows)
      throw new Violation(`row ${source.acknowledged} was acknowledged, and ${sink.rows} are in the sink`);
    const token = sink.record?.token ?? 0;
    if (token < this.#lastToken) throw new Violation(`the sink took token ${token} after ${this.#lastToken}`);
    if (token < this.#world.claimed && !sink.wasRestored)
      throw new Violation(`the sink has token ${token} where a run with token ${this.#world.claimed} goes on`);
    this.#lastToken = token;
  }
}

/** How a run ends that came too late, or that lost what it wrote; the next one goes on. */
const OVERTAKEN: ReadonlySet<string> = new Set(["FENCED", "LOG_LOST", "SINK_STAGED_LOST", "SINK_FILES_LOST"]);

function isOvertaken(error: unknown): boolean {
  return error instanceof MillraceError && OVERTAKEN.has(error.code);
}

/** The seed and the story of the first history that breaks a promise; null: none does. */
function firstFailure(
  sink: "transactional" | "staged",
  mutation: Mutation,
  first: number,
  histories: number,
): string | null {
  for (let seed = first; seed < first + histories; seed++) {
    try {
      new History(seed, mutation, sink).run();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return `SIMULATION_SEED=${seed}: ${error.message}`;
    }
  }
  return null;
}

describe.each(["transactional", "staged"] as const)("epochs of a %s sink under random histories", (sink) => {
  test(`nothing lost, nothing twice, nothing acknowledged too early, always progress (seed ${SEED})`, () => {
    expect(firstFailure(sink, "none", SEED, HISTORIES)).toBeNull();
  });

  // From a fixed seed, so that it is the same every time.
  test.each(sink === "staged" ? STAGED_MUTATIONS : MUTATIONS)(
    "fail as soon as an engine breaks a rule: %s",
    (mutation) => {
      expect(firstFailure(sink, mutation, 1, 200_000)).toMatch(/^SIMULATION_SEED=\d+: /);
    },
  );
});
