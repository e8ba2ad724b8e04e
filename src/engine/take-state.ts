import type { Ambient } from "../core/ambient.ts";
import type { CheckpointStore, StoreOpening } from "../core/checkpoint-store.ts";
import { MillraceError } from "../core/errors.ts";
import { epochBetween, type CommittedRecord } from "../core/record.ts";
import type { Sink } from "../core/sink.ts";
import { recover, type RecoveryFacts } from "./recovery.ts";

export interface TakeRequest {
  readonly pipeline: string;
  readonly sinkRemembers: boolean;
  readonly operator: RecoveryFacts["operator"];
  readonly opening: StoreOpening;
  /** Of this process' attempt before; null: there was none. A higher one is another run's, which is not taken over from. */
  readonly tokenBefore: number | null;
  readonly ambient: Ambient;
}

/**
 * Opens store and sink, finds out where the pipeline goes on, and claims the store for it: what was staged is committed
 * again, and the store says what the sink says. The record is under the new token.
 */
export async function takeState(
  { pipeline, sinkRemembers, operator, opening, tokenBefore, ambient }: TakeRequest,
  store: CheckpointStore,
  sink: Sink,
): Promise<CommittedRecord> {
  const stored = await store.open(opening);
  const committed = await sink.open(pipeline, opening.signal);
  const token = Math.max(stored?.newest.token ?? 0, committed?.token ?? 0);
  if (tokenBefore !== null && token > tokenBefore)
    throw new MillraceError(
      "FENCED",
      `another run, with token ${token}, has taken over from this one, with ${tokenBefore}`,
    );
  const recovery = recover({ sink: committed, store: stored, sinkRemembers, operator });
  if (recovery.kind === "refuse") throw recovery.error;
  const again = await commitStaged(pipeline, ambient, sink, recovery.from, recovery.staged);
  const from = again ?? recovery.from;
  // In step too: the new token must be in the store before anything else, or a frozen run could still commit under its own.
  await store.reset(from);
  ambient.failpoint("engine.recovered");
  const repair = again === null ? recovery.store : "committed-again";
  const { epoch } = from;
  ambient.logger.info("recovered", { kind: recovery.kind, store: repair, epoch, token: from.token });
  return from;
}

/** Commits what a run before had staged. Null: there is nothing, or it is gone, and is written anew from the source. */
async function commitStaged(
  pipeline: string,
  ambient: Ambient,
  sink: Sink,
  from: CommittedRecord,
  staged: CommittedRecord | null,
): Promise<CommittedRecord | null> {
  if (staged === null) return null;
  try {
    await sink.commit(epochBetween(pipeline, from, staged));
    return staged;
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "SINK_STAGED_LOST") throw error;
    ambient.logger.warn("a staged epoch is gone and is written anew", { epoch: staged.epoch, reason: error.message });
    return null;
  }
}
