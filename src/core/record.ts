import type { KeyBound } from "./chunk.ts";
import type { ErrorCode } from "./error-codes.ts";
import { sameJson, type Json } from "./json.ts";
import type { TableSchema } from "./table-schema.ts";

/** The version of the record's parts. A record of a newer version is refused, an older one is migrated. */
export const RECORD_VERSION = 1;

/** The chunks of a table that are in a committed epoch: ranges in key order, neighbours joined. */
export interface ChunkProgress {
  /** The table's range ends here; null: the table was empty at planning time. */
  readonly max: KeyBound | null;
  readonly done: readonly { readonly lower: KeyBound | null; readonly upper: KeyBound }[];
  readonly rows: number;
}

/** A table's life (design §4). `snapshotting.progress` is null until it is planned, and for tables without a key. */
export type TableState =
  | { readonly kind: "planned" }
  | { readonly kind: "snapshotting"; readonly progress: ChunkProgress | null }
  | { readonly kind: "streaming"; readonly rows: number }
  | { readonly kind: "stopped"; readonly code: ErrorCode; readonly message: string; readonly at: string };

/** The part `table/<id>` of the record. */
export interface TablePart {
  readonly state: TableState;
  /** Counts the times the table was begun anew in the sink, from 1. */
  readonly incarnation: number;
  /** What the YAML and the source resolved to for it; a different one at start is a changed pipeline. */
  readonly fingerprint: string;
  readonly schema: TableSchema;
}

/** The part `position`: where the log goes on. */
export interface PositionPart {
  readonly position: Json;
  /** Transactions before it that were not known to be visible: no chunk is opened before they are (merge rule 2). */
  readonly unsettled: readonly string[];
}

/** The part `source`: whose log this is. */
export interface SourcePart {
  readonly version: number;
  readonly identity: Json;
  /** The pipeline was begun as a snapshot and no more. Not there: it goes on with the log. */
  readonly snapshotOnly?: true;
}

/**
 * One of the parts `history/<n>`: an epoch that was committed, for people. There are `HISTORY_LENGTH` of them, and the
 * number goes round.
 */
export interface HistoryPart {
  readonly epoch: number;
  readonly atMs: number;
  /** What was delivered in it, of snapshots and of the log. */
  readonly rows: number;
  /** As the source writes it, and cut where that is long. */
  readonly position: string;
}

export const HISTORY_LENGTH = 64;

/** The part with the committable of the record's own epoch: what `Sink.prepare` returned. Staged sinks alone have it. */
export const STAGED_KEY = "staged";

/**
 * What one epoch changed in the record: only those parts, so that its size follows the change and not the state. A null
 * removes the part. Keys: `source`, `position`, `table/<id>`, `history/<n>`, `staged`.
 */
export type RecordParts = ReadonlyMap<string, Json>;

/** One epoch's record, as the store keeps it and as the sink commits it with the rows. */
export interface EpochRecord {
  readonly pipeline: string;
  /** 1, 2, 3 … without gaps. */
  readonly epoch: number;
  /** The fencing token of the run that wrote it; a higher one has taken over. */
  readonly token: number;
  readonly parts: RecordParts;
}

/** All parts as of an epoch. Epoch 0, without parts, is what stands before the first one. */
export interface CommittedRecord {
  readonly epoch: number;
  readonly token: number;
  readonly parts: ReadonlyMap<string, Json>;
}

/** Whether both hold the same parts. */
export function sameParts(a: CommittedRecord["parts"], b: CommittedRecord["parts"]): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    const other = b.get(key);
    if (other === undefined || !sameJson(value, other)) return false;
  }
  return true;
}

/** The whole record after an epoch: its parts replace those before it, and a null takes one away. */
export function applyEpoch(before: CommittedRecord | null, record: EpochRecord): CommittedRecord {
  const parts = new Map(before?.parts);
  for (const [key, value] of record.parts) {
    if (value === null) parts.delete(key);
    else parts.set(key, value);
  }
  return { epoch: record.epoch, token: record.token, parts };
}

/** The epoch that makes one record of the other: all its parts, and a null for each that is gone. */
export function epochBetween(pipeline: string, before: CommittedRecord | null, after: CommittedRecord): EpochRecord {
  const gone = [...(before?.parts.keys() ?? [])].filter((key) => !after.parts.has(key));
  const parts = new Map<string, Json>([...after.parts, ...gone.map((key) => [key, null] as const)]);
  return { pipeline, epoch: after.epoch, token: after.token, parts };
}
