import type { StoredEpochs } from "../core/checkpoint-store.ts";
import { MillraceError } from "../core/errors.ts";
import { STAGED_KEY, sameParts, type CommittedRecord } from "../core/record.ts";

/** What a start finds, and what the operator has said about it (`millrace state adopt`). */
export interface RecoveryFacts {
  /** The sink's last committed record; null: it knows nothing of this pipeline. */
  readonly sink: CommittedRecord | null;
  readonly store: StoredEpochs | null;
  /** False for a sink without a memory of its own, as the discarding one of the benchmarks: the store is then the truth. */
  readonly sinkRemembers: boolean;
  readonly operator: "none" | "sink";
}

/**
 * How the store relates to the truth: it agrees, or the sink has gone further than the store remembers, or an epoch that
 * was stored never reached the sink. For people; every run begins with `store.reset(from)`, whichever it is.
 */
type StoreRepair = "in-step" | "bring-forward" | "go-back";

/**
 * What a run begins with. `from` is the record to go on from, already under the new run's fencing token, which is above
 * everything that sink and store have seen; the next epoch is `from.epoch + 1`. `fresh`: nothing was ever committed,
 * and `from` is epoch 0 without parts. `staged`: the next epoch as the store has it, under that token too, where a staged
 * sink made its rows durable: to be committed first of all, since then nothing has to be read again for it.
 */
export type Recovery =
  | {
      readonly kind: "fresh" | "resume";
      readonly from: CommittedRecord;
      readonly staged: CommittedRecord | null;
      readonly store: StoreRepair;
    }
  | { readonly kind: "refuse"; readonly error: MillraceError };

/**
 * Decides where a run goes on (design §4): the sink is the truth, and the store must agree with it or be no further off
 * than a crash between the two can explain. Everything else is an error, since it means that state was lost (law 3).
 */
export function recover(facts: RecoveryFacts): Recovery {
  const { store } = facts;
  const truth = facts.sinkRemembers ? facts.sink : (store?.newest ?? null);
  const refusal = refuse(truth, store, facts.operator);
  if (refusal !== null) return { kind: "refuse", error: refusal };
  const token = Math.max(truth?.token ?? 0, store?.newest.token ?? 0) + 1;
  const from: CommittedRecord = { epoch: truth?.epoch ?? 0, token, parts: truth?.parts ?? new Map() };
  const staged = stagedNext(truth, store, facts.operator, token);
  return { kind: from.epoch === 0 ? "fresh" : "resume", from, staged, store: repair(from, store) };
}

/**
 * Only where the store's epoch follows the very one that the sink has: after a sink was put back, or where two runs wrote
 * the same epoch, its number alone does not tell. Not where the operator has said that the store is not to be trusted.
 */
function stagedNext(
  truth: CommittedRecord | null,
  store: StoredEpochs | null,
  operator: RecoveryFacts["operator"],
  token: number,
): CommittedRecord | null {
  if (store === null || operator === "sink" || !store.newest.parts.has(STAGED_KEY)) return null;
  const { newest, confirmed } = store;
  const before = confirmed?.epoch === 0 ? null : confirmed;
  const follows = newest.epoch === (truth?.epoch ?? 0) + 1 && sameRecord(before, truth);
  return follows ? { ...newest, token } : null;
}

function sameRecord(a: CommittedRecord | null, b: CommittedRecord | null): boolean {
  if (a === null || b === null) return a === b;
  return a.epoch === b.epoch && sameParts(a.parts, b.parts);
}

function refuse(
  truth: CommittedRecord | null,
  store: StoredEpochs | null,
  operator: RecoveryFacts["operator"],
): MillraceError | null {
  const reached = truth?.epoch ?? 0;
  const known = store === null ? 0 : knownCommitted(store);
  // Not even the operator's word makes an empty sink the truth: that is what `drop` is for.
  if (reached === 0 && known > 0)
    return new MillraceError(
      "RECOVERY_SINK_EMPTY",
      `the sink knows nothing of this pipeline although it had committed epoch ${known}`,
    );
  if (operator === "sink") return null;
  if (store === null && reached > 0)
    return new MillraceError(
      "RECOVERY_STORE_EMPTY",
      `the checkpoint store is empty although the sink holds epoch ${reached} of this pipeline`,
    );
  if (reached < known)
    return new MillraceError(
      "RECOVERY_SINK_BEHIND",
      `the sink is at epoch ${reached} although it had committed epoch ${known}`,
    );
  return null;
}

/** The newest epoch that the sink must have: an epoch is stored only after the one before it was committed. */
function knownCommitted(store: StoredEpochs): number {
  return Math.max(store.confirmed?.epoch ?? 0, store.newest.epoch - 1);
}

function repair(from: CommittedRecord, store: StoredEpochs | null): StoreRepair {
  const stored = store?.newest ?? null;
  const epoch = stored?.epoch ?? 0;
  if (epoch < from.epoch) return "bring-forward";
  if (epoch > from.epoch) return "go-back";
  // The same number is not enough: of two runs that both wrote this epoch, the sink took the other one's.
  return sameParts(from.parts, stored?.parts ?? new Map()) ? "in-step" : "bring-forward";
}
