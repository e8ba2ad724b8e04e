import type { MillraceError } from "./errors.ts";
import type { CommittedRecord, EpochRecord } from "./record.ts";

/**
 * Where a pipeline's record lives beside its sink (design §4). `test/conformance/checkpoint.ts` runs over every one.
 * One pipeline, one store. Calls come one at a time.
 *
 * The store keeps the newest epoch and everything needed to go back to the one before it, until `confirm`: a
 * transactional sink whose commit of E + 1 is lost goes back to E.
 */
export interface CheckpointStore extends AsyncDisposable {
  /** Where it is, for people; without secrets. */
  readonly place: string;
  /**
   * Takes the store for this run. Fails with `CHECKPOINT_LOCKED` where another living process has it, with
   * `CHECKPOINT_DAMAGED` where nothing readable is left although something was there. A torn newest epoch is passed over
   * for the one before it, and said through the logger.
   */
  open(opening: StoreOpening): Promise<StoredEpochs | null>;
  /**
   * Durable when it resolves, as far as the store's own settings make it. Rejects with `FENCED` where the store's token is
   * above the record's, or its epoch is not the next, and with `CHECKPOINT_BEHIND` where the store has lost what this run
   * had put into it.
   */
  put(record: EpochRecord): Promise<void>;
  /** The sink has committed this epoch: what was kept to go back behind it may go. */
  confirm(epoch: number): Promise<void>;
  /**
   * Makes this the store's whole content, durable when it resolves. Every run begins with it: it takes over what the
   * sink, which is the truth, knows better, and claims the store under the run's token, so that no two runs share one.
   * Rejects with `FENCED` where the store's token is not below the record's.
   */
  reset(record: CommittedRecord): Promise<void>;
  /** What it holds, without taking it: beside a run that has it open. In place of `open`. */
  read(signal: AbortSignal): Promise<StoredEpochs | null>;
  /** Takes all of this pipeline away, in place of `open`. Fails with `CHECKPOINT_LOCKED` while a living process has it. */
  remove(signal: AbortSignal): Promise<void>;
}

/** How a store is taken. */
export interface StoreOpening {
  /** Holds until the store is closed: once it is aborted, what waits for the store rejects with its reason. */
  readonly signal: AbortSignal;
  /**
   * Where the sink is to say how far the pipeline is, a damaged store counts as an empty one. What it holds stays until
   * `reset`.
   */
  readonly passOverDamage?: boolean;
  /** From a process that lives, too: its next `put` is then `FENCED`. */
  readonly takeOver?: boolean;
  /** Told when the store is this run's, before what it holds is read: no other run begins now. */
  readonly taken?: () => void;
  /** Told what a call waits for while the store cannot be used; null: it goes on. */
  readonly waiting?: (on: string | null) => void;
  /**
   * Told once, within seconds, that another process has taken the store over: the error that the next `put` would be
   * rejected with.
   */
  readonly takenOver?: (error: MillraceError) => void;
}

/** What a store holds: the last epoch known to be confirmed, and the newer one that may or may not be in the sink. */
export interface StoredEpochs {
  readonly confirmed: CommittedRecord | null;
  readonly newest: CommittedRecord;
}
