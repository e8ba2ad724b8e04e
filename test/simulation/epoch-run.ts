import { MillraceError } from "../../src/core/errors.ts";
import { epochBetween, type CommittedRecord, type EpochRecord } from "../../src/core/record.ts";
import {
  dueReason,
  firstEpoch,
  reduceEpoch,
  type CloseReason,
  type EpochEvent,
  type EpochState,
  type OpenEpoch,
} from "../../src/engine/epoch-state.ts";
import { recover, type Recovery, type RecoveryFacts } from "../../src/engine/recovery.ts";
import {
  transactionEnd,
  Violation,
  type ModelReader,
  type ModelSink,
  type ModelSource,
  type ModelStore,
} from "./epoch-model.ts";
import type { Mutation } from "./epoch-mutation.ts";
import type { Random } from "./random.ts";
import { StagedSink } from "./staged-model.ts";

export interface World {
  readonly store: ModelStore;
  readonly sink: ModelSink | StagedSink;
  readonly source: ModelSource;
  /** Requests whose sender no longer waits: each may be carried out later, or again. */
  readonly inFlight: (() => void)[];
  readonly mutation: Mutation;
  /** The highest token of a run that has begun to read: nothing is visible afterwards that a lower one had stored. */
  claimed: number;
  /** Without faults from now on. */
  calm: boolean;
}

/**
 * How a run ended by itself. Whatever else ends it is thrown. `overtaken`: another run committed between the looks at the
 * store and at the sink, so that they did not fit. (A store that is locked while it is open does not let that happen.)
 */
export type RunEnd =
  | { readonly kind: "caught-up" }
  | { readonly kind: "refused"; readonly error: MillraceError; readonly overtaken: boolean };

/** The step that a run is about to take when it has yielded. */
export type Stage = "start" | "write" | "store" | "commit" | "acknowledge";

/** One run of the engine with the real recovery and the real reducer. It can be left for ever at every `yield`. */
export function* engineRun(
  world: World,
  random: Random,
  operator: RecoveryFacts["operator"],
): Generator<Stage, RunEnd, void> {
  const store = world.store.open();
  const sinkThen = world.sink.record;
  yield "start";
  const sink = world.sink.open();
  const hold = new Hold(world);
  yield "start";
  const recovery = recoverBy(world.mutation, { sink, store, sinkRemembers: true, operator });
  if (recovery.kind === "refuse") return { kind: "refused", error: recovery.error, overtaken: sink !== sinkThen };
  const from = (yield* commitAgain(random, hold, recovery)) ?? recovery.from;
  if (world.mutation !== "does not claim the store") {
    world.store.reset(from);
    yield "start";
  }
  const reader = world.source.read(positionOf(from));
  // The run before may have ended between the sink's commit and this, and on a quiet log no epoch would come to do it.
  if (world.mutation !== "acknowledges nothing when it starts") world.source.acknowledge(positionOf(from));
  let epoch = firstEpoch("p", from, 0);
  // Of a pipeline that begins, the first epoch with rows does it.
  if (from.epoch > 0 && world.mutation !== "does not claim the sink") {
    const whole = reduceEpoch(epoch, { kind: "parts", parts: new Map([["table/t", positionOf(from)]]) });
    const claimed = yield* deliver(world, random, hold, closed(whole, "claim"), [], () => undefined);
    if (claimed.kind !== "open") throw new Violation(`no epoch opened after epoch ${epoch.epoch}`);
    epoch = claimed;
  }
  if (from.epoch > 0) world.claimed = Math.max(world.claimed, from.token);
  for (;;) {
    const rows: number[] = [];
    const full = yield* fill(world, random, reader, epoch, rows);
    if (full === null) return { kind: "caught-up" };
    const next = yield* deliver(world, random, hold, closed(full, "interval"), rows, (position) => {
      world.source.acknowledge(position);
    });
    if (next.kind !== "open") throw new Violation(`no epoch opened after epoch ${epoch.epoch}`);
    epoch = next;
  }
}

function closed(epoch: EpochState, reason: CloseReason | "claim"): Extract<EpochState, { kind: "closing" }> {
  const closing = reduceEpoch(epoch, { kind: "close", reason });
  if (closing.kind !== "closing") throw new Violation(`an epoch became ${closing.kind} by closing`);
  return closing;
}

function positionOf(record: CommittedRecord): number {
  return Number(record.parts.get("position") ?? 0);
}

/** Reads the log into the sink until the epoch is due. Null: the log has ended, and everything is delivered. */
function* fill(
  world: World,
  random: Random,
  reader: ModelReader,
  opened: OpenEpoch,
  rows: number[],
): Generator<Stage, OpenEpoch | null, void> {
  const cutsTransactions = world.mutation === "ends inside a transaction";
  const limits = { intervalMs: random.between(1, 6), changesMax: random.between(1, 6), bytesMax: 1000 };
  let epoch = opened;
  const step = (event: EpochEvent): void => {
    const state = reduceEpoch(epoch, event);
    if (state.kind !== "open") throw new Violation(`an open epoch became ${state.kind} by ${event.kind}`);
    epoch = state;
  };
  for (let atMs = opened.openedAtMs; ; atMs++) {
    if (dueReason(epoch, limits, 0, atMs) !== null) return epoch;
    const row = reader.next();
    if (row !== null) {
      rows.push(row);
      step({ kind: "written", rows: 1, inTransaction: true });
      step({ kind: "parts", parts: new Map([["table/t", row]]) });
      if (cutsTransactions || transactionEnd(row) === row) step({ kind: "progress", position: row });
      if (random.chance(0.3)) yield "write";
    } else if (rows.length === 0) return null;
  }
}

/** The committer's order: store, sink, then store and source are told. */
function* deliver(
  world: World,
  random: Random,
  hold: Hold,
  closing: Extract<EpochState, { kind: "closing" }>,
  rows: readonly number[],
  acknowledged: (position: number) => void,
): Generator<Stage, EpochState, void> {
  const committable = hold.stage(closing.record.epoch, rows);
  let state: EpochState = reduceEpoch(closing, { kind: "prepared", committable });
  if (state.kind !== "prepared") throw new Violation(`an epoch became ${state.kind} when the sink had prepared`);
  const { record } = state;
  const acknowledge = (): void => acknowledged(positionOf(record));
  yield "store";
  if (world.mutation !== "stored after the sink commits") send(world, random, () => world.store.put(record));
  state = reduceEpoch(state, { kind: "stored" });
  if (world.mutation === "acknowledged before the sink commits") acknowledge();
  yield "commit";
  if (!world.store.hadStored(record))
    throw new Violation(`epoch ${record.epoch} goes to the sink and was never stored`);
  yield* hold.commit(random, record, rows, acknowledge);
  state = reduceEpoch(state, { kind: "committed" });
  yield "acknowledge";
  if (world.mutation === "stored after the sink commits") send(world, random, () => world.store.put(record));
  world.store.confirm(record.epoch);
  if (random.chance(0.2)) yield "acknowledge";
  acknowledge();
  return reduceEpoch(state, { kind: "acknowledged", atMs: 0 });
}

/** Commits what a run before had staged. Null: nothing, or it is gone. */
function* commitAgain(
  random: Random,
  hold: Hold,
  recovery: Exclude<Recovery, { kind: "refuse" }>,
): Generator<Stage, CommittedRecord | null, void> {
  const { from, staged } = recovery;
  if (staged === null) return null;
  try {
    yield* hold.commitFound(random, epochBetween("p", from, staged));
    return staged;
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "SINK_STAGED_LOST") throw error;
    return null;
  }
}

/** What a run has of the sink. */
class Hold {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** The committable; null of a transactional sink. */
  stage(epoch: number, rows: readonly number[]): number | null {
    const { sink, mutation } = this.#world;
    if (!(sink instanceof StagedSink)) return null;
    if (mutation === "leftovers go before their epoch is over") sink.discard(epoch);
    if (mutation === "visible before it is decided") sink.show(rows);
    return sink.stage(epoch, rows);
  }

  *commit(
    random: Random,
    record: EpochRecord,
    rows: readonly number[],
    acknowledge: () => void,
  ): Generator<Stage, void, void> {
    const { sink } = this.#world;
    if (!(sink instanceof StagedSink)) return send(this.#world, random, () => sink.commit(record, rows));
    yield* this.#commitStaged(random, sink, record, acknowledge);
  }

  *commitFound(random: Random, record: EpochRecord): Generator<Stage, void, void> {
    const { sink } = this.#world;
    if (!(sink instanceof StagedSink)) throw new Violation("a transactional sink was given a committable");
    yield* this.#commitStaged(random, sink, record, () => undefined);
  }

  *#commitStaged(
    random: Random,
    sink: StagedSink,
    record: EpochRecord,
    acknowledge: () => void,
  ): Generator<Stage, void, void> {
    if (!sink.isDecided(record)) {
      sink.checkStaged(record);
      send(this.#world, random, () => sink.decide(record));
    }
    if (random.chance(0.5)) yield "commit";
    if (this.#world.mutation === "acknowledged before it is visible") acknowledge();
    send(this.#world, random, () => sink.complete(record));
    if (random.chance(0.3)) yield "acknowledge";
    sink.discard(record.epoch);
  }
}

/** A request over a network: done, done twice, not done, done without an answer, or done late, perhaps never. */
function send(world: World, random: Random, request: () => void): void {
  const fate = world.calm ? 99 : random.below(100);
  if (fate < 6) world.inFlight.push(request);
  if (fate < 3) throw new BrokenConnection();
  if (fate >= 6 && fate < 9) throw new BrokenConnection();
  request();
  if (fate >= 9 && fate < 12) throw new BrokenConnection();
}

/** The sender does not know whether its request was carried out. */
export class BrokenConnection extends Error {}

function recoverBy(mutation: Mutation, facts: RecoveryFacts): Recovery {
  const { sink, store } = facts;
  if (mutation === "the store is the truth") return recover({ ...facts, sinkRemembers: false });
  const recovery = recover(facts);
  if (recovery.kind === "refuse") return recovery;
  const { from } = recovery;
  if (mutation === "the token is above the sink's alone")
    return { ...recovery, from: { ...from, token: (sink?.token ?? 0) + 1 } };
  if (mutation === "commits again whatever the store has" && store?.newest.epoch === from.epoch + 1)
    return { ...recovery, staged: { ...store.newest, token: from.token } };
  if (mutation === "forward instead of back" && recovery.store === "go-back" && store !== null)
    return { kind: "resume", staged: null, store: "in-step", from: { ...from, parts: store.newest.parts } };
  return recovery;
}
