import type { BufferPool } from "../core/buffer-pool.ts";
import type { Json } from "../core/json.ts";

/** An object that is there. */
export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
  /** Another one after every change: the ETag, or what stands for it in a folder. Opaque. */
  readonly tag: string;
}

/** What must hold of a key for a `put` to take place: nothing is there, or what is there has that tag. */
export type PutCondition = { readonly kind: "absent" } | { readonly kind: "same"; readonly tag: string };

/** What `open` found that this store does as one step, also where several processes try it at once. */
export interface StoreAbilities {
  /** `put` where nothing is there. */
  readonly conditionalPut: boolean;
  /** `put` where nothing has changed. */
  readonly conditionalReplace: boolean;
}

/** Bytes of an object, like those of a `subarray`: from `from`, before `to`, and fewer where it is shorter. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** A staged object that is whole and durable, and that `complete` makes visible, also in another process. */
export interface Committable {
  readonly key: string;
  readonly bytes: number;
  /** For the kind of store that has made it. */
  readonly staged: Json;
}

/** Something staged that was neither completed nor aborted: what a crash has left, or what a living writer is about. */
export interface StagedLeftover {
  readonly key: string;
  /** For the kind of store that has found it. */
  readonly staged: Json;
}

/**
 * Writes one staged object. One call at a time is all that is needed; more are done in their order. Where a call rejects the writer
 * is broken: every later one but `abort` rejects with the same error. Whoever does not finish it aborts it.
 */
export interface StagedWriter {
  /** Resolves when more may come: the back-pressure. The bytes are the writer's from the call on, and nobody may change them. */
  write(bytes: Uint8Array): Promise<void>;
  /** Bytes in memory: not sent yet, or under way. */
  readonly heldBytes: number;
  /** Bytes written so far. */
  readonly bytes: number;
  /** Resolves when all of it is durable. Still nobody sees it. */
  finish(): Promise<Committable>;
  /** Takes away what was staged, finished or not, and is content where it is gone already. Not for what was completed. */
  abort(): Promise<void>;
}

/**
 * A folder or a bucket, seen as keys with bytes. `src/stores/object-key.ts` says what a key is. Calls may overlap. Errors are
 * `STORE_…`; a call that failed with one that is retried "timed" may be made again as it is. Only of a conditional `put` is it open then
 * whether it took place: look before, or a repeat may be refused because of it. `test/conformance/store.ts` is the proof.
 *
 * An object becomes visible as a whole or not at all. There are two ways: `put` for small ones, and for large ones
 * *staging*: `stage` writes what nobody sees, `complete` makes it visible later.
 */
export interface ObjectStore extends AsyncDisposable {
  /** For people: the folder's path, or `s3://bucket/prefix`. */
  readonly place: string;

  /**
   * Whether the place is there and may be read and written. Tries the conditional writes under a key of its own, and takes
   * that away again.
   */
  open(signal: AbortSignal): Promise<StoreAbilities>;

  /**
   * Durable when it resolves. Fails with `STORE_CONDITION`, and changes nothing, where the condition does not hold. Without a
   * condition it replaces what is there.
   */
  put(key: string, bytes: Uint8Array, condition: PutCondition | null, signal: AbortSignal): Promise<ObjectInfo>;

  /**
   * Puts what is read once, soon, by those alone who are told of it afterwards: it need not outlast a crash of the machine. The
   * pieces lie one behind the other in the object. Nothing may be there, nor be put there again.
   */
  putBrief(key: string, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<void>;

  /** All of it without a range. Null: no such object. */
  get(key: string, range: ByteRange | null, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | null>;

  /**
   * An object of which it is known how long it is: the bytes lie at the beginning of a buffer that is taken from the pool, for
   * whoever is through with them to give back. Fewer where it is shorter. Null: no such object.
   */
  getInto(pool: BufferPool, key: string, bytes: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | null>;

  head(key: string, signal: AbortSignal): Promise<ObjectInfo | null>;

  /**
   * Objects whose key begins with `prefix`, any text, in the order of `compareKeys`. Never what is only staged, nor what somebody
   * else has put there under a name that is no key.
   */
  list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectInfo>;

  /** Durable when it resolves. Those that are not there are nothing to it. */
  delete(keys: readonly string[], signal: AbortSignal): Promise<void>;

  /** The same of what was put briefly, which may be there again behind a crash of the machine. */
  deleteBrief(keys: readonly string[], signal: AbortSignal): Promise<void>;

  /**
   * Begins to write an object that nobody sees. A key is staged once: whoever tries again takes another key. The signal ends
   * the writer.
   */
  stage(key: string, signal: AbortSignal): StagedWriter;

  /**
   * Makes a staged object visible under its key: as one step, and durable when it resolves. May be repeated, after a crash
   * and by another process too. An answer that does not tell whether it took place is looked into. Fails with
   * `STORE_STAGED_LOST` where neither what was staged is there nor an object of that size under the key.
   */
  complete(committable: Committable, signal: AbortSignal): Promise<void>;

  /** Whether what was staged is there still: neither completed nor taken away. */
  isStaged(committable: Committable, signal: AbortSignal): Promise<boolean>;

  /**
   * In no order, and not all of it in every store: some list nothing by a prefix (MinIO), and take away by themselves what
   * nobody has completed. What living writers are about is among it; that of a `put` that a crash has cut off too.
   */
  leftovers(prefix: string, signal: AbortSignal): AsyncIterable<StagedLeftover>;

  /** Content where it is gone already. */
  discard(leftover: StagedLeftover, signal: AbortSignal): Promise<void>;
}
