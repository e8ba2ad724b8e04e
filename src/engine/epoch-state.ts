import { assertNever, MillraceError } from "../core/errors.ts";
import { sameJson, type Json } from "../core/json.ts";
import { STAGED_KEY, type CommittedRecord, type EpochRecord } from "../core/record.ts";
import { POSITION_KEY } from "./record-parts.ts";

/** Why an epoch ends in the line. `schema`: the sink must alter or begin a table before the next row. */
export type CloseReason = "interval" | "rows" | "bytes" | "schema" | "stop";

/**
 * One epoch of one run (design §4), from its first row until the source may forget it. Immutable.
 *
 * `open` collects: `atBoundary` tells whether everything written so far lies before the last `progress`, the only place
 * where it may end. `closing`: the record is made, and the sink has not prepared. `prepared`: what the sink has to commit is
 * in the record, and that not yet stored. `stored`: in the checkpoint store. `committed`: in
 * the sink, with its rows. `failed`: nothing more may happen in this run; what became of the epoch is found out by
 * recovery.
 */
export type EpochState =
  | OpenEpoch
  | {
      readonly kind: "closing";
      readonly reason: CloseReason | "claim";
      readonly rows: number;
      readonly record: EpochRecord;
    }
  | { readonly kind: "prepared"; readonly rows: number; readonly record: EpochRecord }
  | { readonly kind: "stored"; readonly rows: number; readonly record: EpochRecord }
  | { readonly kind: "committed"; readonly rows: number; readonly record: EpochRecord }
  | { readonly kind: "failed"; readonly in: Exclude<EpochState["kind"], "failed">; readonly error: MillraceError };

export interface OpenEpoch {
  readonly kind: "open";
  readonly pipeline: string;
  readonly epoch: number;
  readonly token: number;
  readonly openedAtMs: number;
  readonly rows: number;
  /** Of them, changes of the log. */
  readonly changes: number;
  readonly atBoundary: boolean;
  /** The parts that this epoch changes, by key; null takes one away. */
  readonly parts: ReadonlyMap<string, Json>;
  /** The part `position` as it is committed; null before the first epoch. */
  readonly committedPosition: Json;
}

export type EpochEvent =
  /** Rows (or a truncate, with 0) went to the sink. Those of a snapshot belong to no transaction of the log. */
  | { readonly kind: "written"; readonly rows: number; readonly inTransaction: boolean }
  /** Parts of the record other than the position changed. */
  | { readonly kind: "parts"; readonly parts: ReadonlyMap<string, Json> }
  /** A transaction boundary, with the part `position` there. */
  | { readonly kind: "progress"; readonly position: Json }
  /** `claim`: it is a run's first, and holds nothing. */
  | { readonly kind: "close"; readonly reason: CloseReason | "claim" }
  /** With the sink's committable; null: it is transactional. */
  | { readonly kind: "prepared"; readonly committable: Json }
  | { readonly kind: "stored" }
  | { readonly kind: "committed" }
  /** The store has been told and the source acknowledged: the next epoch opens. */
  | { readonly kind: "acknowledged"; readonly atMs: number }
  | { readonly kind: "failed"; readonly error: MillraceError };

/** When an open epoch ends by itself. */
export interface EpochLimits {
  readonly intervalMs: number;
  /** Of the log. Rows of a snapshot are bounded by bytes alone: they need no folding. */
  readonly changesMax: number;
  readonly bytesMax: number;
}

/** The first epoch of a run that begins with `from` (see `recover`), whose token it takes. */
export function firstEpoch(pipeline: string, from: CommittedRecord, atMs: number): OpenEpoch {
  const committedPosition = from.parts.get(POSITION_KEY) ?? null;
  return openEpoch(pipeline, from.epoch + 1, from.token, committedPosition, atMs);
}

function openEpoch(
  pipeline: string,
  epoch: number,
  token: number,
  committedPosition: Json,
  openedAtMs: number,
): OpenEpoch {
  return {
    kind: "open",
    pipeline,
    epoch,
    token,
    openedAtMs,
    rows: 0,
    changes: 0,
    atBoundary: true,
    parts: new Map(),
    committedPosition,
  };
}

/** Whether it would change anything to commit this epoch now: rows, a moved position, another part. */
export function hasContent(epoch: OpenEpoch): boolean {
  return epoch.rows > 0 || epoch.parts.size > 0 || !epoch.atBoundary;
}

/**
 * Whether the open epoch is to end here by itself: null away from a boundary and where there is nothing to commit.
 * `pending` is what the sink holds.
 */
export function dueReason(
  epoch: OpenEpoch,
  limits: EpochLimits,
  pendingBytes: number,
  nowMs: number,
): CloseReason | null {
  if (!epoch.atBoundary || !hasContent(epoch)) return null;
  if (epoch.changes >= limits.changesMax) return "rows";
  if (pendingBytes >= limits.bytesMax) return "bytes";
  return nowMs - epoch.openedAtMs >= limits.intervalMs ? "interval" : null;
}

/** The only way an epoch goes on. An event that a state does not allow is a defect of the engine, and says so. */
export function reduceEpoch(state: EpochState, event: EpochEvent): EpochState {
  if (event.kind === "failed" && state.kind !== "failed") return { kind: "failed", in: state.kind, error: event.error };
  switch (state.kind) {
    case "open":
      return reduceOpen(state, event);
    case "closing":
      if (event.kind !== "prepared") return illegal(state, event);
      return { kind: "prepared", rows: state.rows, record: withCommittable(state.record, event.committable) };
    case "prepared":
      if (event.kind !== "stored") return illegal(state, event);
      return { kind: "stored", rows: state.rows, record: state.record };
    case "stored":
      if (event.kind !== "committed") return illegal(state, event);
      return { kind: "committed", rows: state.rows, record: state.record };
    case "committed":
      if (event.kind !== "acknowledged") return illegal(state, event);
      return next(state.record, event.atMs);
    case "failed":
      return event.kind === "failed" ? state : illegal(state, event);
    default:
      return assertNever(state);
  }
}

function reduceOpen(state: OpenEpoch, event: EpochEvent): EpochState {
  switch (event.kind) {
    case "written":
      return {
        ...state,
        rows: state.rows + event.rows,
        changes: state.changes + (event.inTransaction ? event.rows : 0),
        atBoundary: state.atBoundary && !event.inTransaction,
      };
    case "parts":
      return { ...state, parts: new Map([...state.parts, ...event.parts]) };
    case "progress":
      return { ...state, atBoundary: true, parts: withPosition(state, event.position) };
    case "close":
      return close(state, event.reason);
    default:
      return illegal(state, event);
  }
}

/** A position that has not moved is not a change: a quiet log makes no epochs. */
function withPosition(state: OpenEpoch, position: Json): ReadonlyMap<string, Json> {
  const parts = new Map(state.parts);
  if (sameJson(position, state.committedPosition)) parts.delete(POSITION_KEY);
  else parts.set(POSITION_KEY, position);
  return parts;
}

function close(state: OpenEpoch, reason: CloseReason | "claim"): EpochState {
  if (!state.atBoundary)
    throw new MillraceError("INTERNAL", `epoch ${state.epoch} cannot end inside a transaction (${reason})`);
  const { pipeline, epoch, token, parts, committedPosition } = state;
  // Every record carries its position, so that whoever reads one epoch alone knows where it stands.
  const position = parts.get(POSITION_KEY) ?? committedPosition;
  const all = position === null ? parts : new Map(parts).set(POSITION_KEY, position);
  return { kind: "closing", reason, rows: state.rows, record: { pipeline, epoch, token, parts: all } };
}

function withCommittable(record: EpochRecord, committable: Json): EpochRecord {
  if (committable === null) return record;
  return { ...record, parts: new Map(record.parts).set(STAGED_KEY, committable) };
}

function next(record: EpochRecord, atMs: number): OpenEpoch {
  return openEpoch(record.pipeline, record.epoch + 1, record.token, record.parts.get(POSITION_KEY) ?? null, atMs);
}

function illegal(state: EpochState, event: EpochEvent): never {
  throw new MillraceError("INTERNAL", `an epoch that is ${state.kind} cannot be ${event.kind}`);
}
