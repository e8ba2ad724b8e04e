import { z } from "zod";
import type { Json } from "../../core/json.ts";
import type { Committable } from "../../stores/object-store.ts";
import type { TableEntry } from "./schema.ts";

/** The version of the entries. A newer one is refused, an older one is migrated. */
const FORMAT = 1;

/** A file of an epoch: what the store staged, and the rows in it. */
export interface EpochFile extends Committable {
  readonly rows: number;
}

/** What `prepare` returns: the part `staged` of the record. */
export interface StagedEpoch {
  readonly files: readonly EpochFile[];
  /** Tables that were begun, altered or read to the end in the epoch. */
  readonly tables: readonly TableEntry[];
}

/**
 * One entry of a pipeline's own log in the store. `epoch` decides an epoch: from here on its files can only become visible.
 * `forgotten`: the pipeline begins anew, and its tables are known as its own.
 */
export interface LogEntry {
  readonly kind: "epoch" | "forgotten";
  /** It holds everything that came before it: all parts and all tables. Older entries may go. */
  readonly base: boolean;
  /** Of the run that wrote it: an answer that was lost is found out by it. */
  readonly run: string;
  readonly epoch: number;
  readonly token: number;
  /** Of the epoch, over all of the pipeline's lives. */
  readonly sequence: number;
  /** What changed, a null for each part that went away. */
  readonly parts: ReadonlyMap<string, Json>;
  /** Those that changed. */
  readonly tables: readonly TableEntry[];
  readonly files: readonly EpochFile[];
}

const count = z.int().nonnegative();
// What JSON was parsed from is nothing else, and a table's entry is the sink's own.
const anyJson = z.custom<Json>((value) => value !== undefined);
const tableFields = z.looseObject({ incarnation: count, folder: z.string(), complete: z.boolean() });
const table = z.custom<TableEntry>((value) => tableFields.safeParse(value).success);
const file = z.strictObject({ key: z.string(), bytes: count, rows: count, staged: anyJson });

const stagedSchema = z.strictObject({ files: z.array(file), tables: z.array(table) });

const entrySchema = z.strictObject({
  format: z.literal(FORMAT),
  pipeline: z.string(),
  kind: z.enum(["epoch", "forgotten"]),
  base: z.boolean(),
  run: z.string(),
  epoch: count,
  token: count,
  sequence: count,
  parts: z.record(z.string(), anyJson),
  tables: z.array(table),
  files: z.array(file),
});

export type DecodedEntry =
  | { readonly kind: "entry"; readonly entry: LogEntry }
  | { readonly kind: "newer"; readonly format: number }
  | { readonly kind: "damaged"; readonly why: string };

/** Undefined: it is no committable of this sink. */
export function decodeStaged(json: Json | undefined): StagedEpoch | undefined {
  return stagedSchema.safeParse(json).data;
}

export function encodeStaged(staged: StagedEpoch): Json {
  return staged as unknown as Json;
}

export function encodeEntry(pipeline: string, entry: LogEntry): Uint8Array {
  const parts = Object.fromEntries(entry.parts);
  return Buffer.from(`${JSON.stringify({ format: FORMAT, pipeline, ...entry, parts })}\n`);
}

export function decodeEntry(pipeline: string, bytes: Uint8Array): DecodedEntry {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch {
    return { kind: "damaged", why: "it is no JSON" };
  }
  const { data: head } = z.looseObject({ format: z.int() }).safeParse(json);
  if (head !== undefined && head.format > FORMAT) return { kind: "newer", format: head.format };
  const { data } = entrySchema.safeParse(json);
  if (data === undefined) return { kind: "damaged", why: "it is not what Millrace writes there" };
  if (data.pipeline !== pipeline) return { kind: "damaged", why: `it is of the pipeline ${data.pipeline}` };
  const { format: _format, pipeline: _pipeline, ...entry } = data;
  return { kind: "entry", entry: { ...entry, parts: new Map(Object.entries(entry.parts)) } };
}
