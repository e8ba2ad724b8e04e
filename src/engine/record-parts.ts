import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "../core/error-codes.ts";
import { MillraceError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { LogicalType } from "../core/logical-type.ts";
import {
  RECORD_VERSION,
  STAGED_KEY,
  HISTORY_LENGTH,
  type HistoryPart,
  type PositionPart,
  type SourcePart,
  type TablePart,
} from "../core/record.ts";
import { tableId, type TableId } from "../core/table-schema.ts";

/** The record's parts with their types. Immutable: the engine replaces what changes. */
export interface RecordContent {
  readonly source: SourcePart | null;
  readonly position: PositionPart | null;
  readonly tables: ReadonlyMap<TableId, TablePart>;
  /** The last epochs, oldest first. */
  readonly history: readonly HistoryPart[];
}

export const SOURCE_KEY = "source";
export const POSITION_KEY = "position";
const TABLE_PREFIX = "table/";
const HISTORY_PREFIX = "history/";
const HISTORY_POSITION_LENGTH = 200;

export function historyPart(epoch: number, atMs: number, rows: number, position: string): [key: string, HistoryPart] {
  const shown = position.length > HISTORY_POSITION_LENGTH ? `${position.slice(0, HISTORY_POSITION_LENGTH)}…` : position;
  return [`${HISTORY_PREFIX}${epoch % HISTORY_LENGTH}`, { epoch, atMs, rows, position: shown }];
}

export function tableKey(table: TableId): string {
  return TABLE_PREFIX + table;
}

const json: z.ZodType<Json> = z.json();
const count = z.int().nonnegative();
const keyBound = z.array(z.string());
const errorCode = z.custom<ErrorCode>((value) => typeof value === "string" && Object.hasOwn(ERROR_CODES, value));

const logicalType: z.ZodType<LogicalType> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal(["bool", "text", "json", "bytes", "uuid", "date", "time"]) }),
  z.strictObject({ kind: z.literal("int"), bits: z.literal([16, 32, 64]) }),
  z.strictObject({ kind: z.literal("float"), bits: z.literal([32, 64]) }),
  z.strictObject({ kind: z.literal("decimal"), precision: count, scale: count }),
  z.strictObject({ kind: z.literal("timestamp"), zone: z.boolean() }),
]);

const tableSchema = z
  .strictObject({
    id: z.string(),
    namespace: z.string(),
    name: z.string(),
    version: count,
    columns: z.array(
      z.strictObject({
        name: z.string(),
        type: logicalType,
        nullable: z.boolean(),
        sourceType: z.string(),
        collation: z.string().nullable(),
        existingRowsDefault: z.string().nullable(),
      }),
    ),
    key: z.array(count),
    definition: json.exactOptional(),
  })
  .refine((schema) => schema.id === tableId(schema.namespace, schema.name), "an id that is not the table's")
  .refine((schema) => schema.key.every((i) => i < schema.columns.length), "a key column that does not exist")
  .transform((schema) => ({ ...schema, id: tableId(schema.namespace, schema.name) }));

const progress = z.strictObject({
  max: keyBound.nullable(),
  done: z.array(z.strictObject({ lower: keyBound.nullable(), upper: keyBound })),
  rows: count,
});

const tablePart: z.ZodType<TablePart> = z.strictObject({
  state: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("planned") }),
    z.strictObject({ kind: z.literal("snapshotting"), progress: progress.nullable() }),
    z.strictObject({ kind: z.literal("streaming"), rows: count }),
    z.strictObject({ kind: z.literal("stopped"), code: errorCode, message: z.string(), at: z.string() }),
  ]),
  incarnation: z.int().positive(),
  fingerprint: z.string(),
  schema: tableSchema,
});

const historyPartSchema: z.ZodType<HistoryPart> = z.strictObject({
  epoch: z.int().positive(),
  atMs: z.number(),
  rows: count,
  position: z.string(),
});
const positionPart: z.ZodType<PositionPart> = z.strictObject({ position: json, unsettled: z.array(z.string()) });
const sourcePart: z.ZodType<SourcePart> = z.strictObject({
  version: z.int().positive(),
  identity: json,
  snapshotOnly: z.literal(true).exactOptional(),
});
const versionOnly = z.looseObject({ version: z.int().positive() });

/** So many take some ten milliseconds. */
const SLICE_PARTS = 200;

/**
 * The parts with their types, decoded in slices, since what waits for servers goes on beside. What Millrace does not write is
 * `RECORD_DAMAGED`, never passed over (law 2).
 */
export async function decodeParts(parts: ReadonlyMap<string, Json>): Promise<RecordContent> {
  const source = parts.get(SOURCE_KEY);
  // First of all, since the shape of everything else depends on it.
  if (source !== undefined) checkVersion(source);
  let position: PositionPart | null = null;
  const tables = new Map<TableId, TablePart>();
  const history: HistoryPart[] = [];
  let decoded = 0;
  for (const [key, value] of parts) {
    if (++decoded % SLICE_PARTS === 0) await setImmediate();
    if (key === POSITION_KEY) position = decode(positionPart, key, value);
    else if (key.startsWith(TABLE_PREFIX)) {
      const part = decode(tablePart, key, value);
      if (tableKey(part.schema.id) !== key) throw damaged(key, `it holds the table ${part.schema.id}`);
      tables.set(part.schema.id, part);
    } else if (key.startsWith(HISTORY_PREFIX)) history.push(decode(historyPartSchema, key, value));
    else if (key !== SOURCE_KEY && key !== STAGED_KEY) throw damaged(key, "no such part is known");
  }
  history.sort((a, b) => a.epoch - b.epoch);
  return { source: source === undefined ? null : decode(sourcePart, SOURCE_KEY, source), position, tables, history };
}

function checkVersion(source: Json): void {
  const { version } = decode(versionOnly, SOURCE_KEY, source);
  if (version > RECORD_VERSION)
    throw new MillraceError(
      "CHECKPOINT_NEWER_FORMAT",
      `the pipeline's record has format version ${version}, and this Millrace knows versions up to ${RECORD_VERSION}`,
    );
}

function decode<Part>(schema: z.ZodType<Part>, key: string, value: Json): Part {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw damaged(key, issue === undefined ? "not readable" : `${issue.path.join(".")}: ${issue.message}`);
}

function damaged(key: string, what: string): MillraceError {
  return new MillraceError(
    "RECORD_DAMAGED",
    `part ${JSON.stringify(key)} of the pipeline's record is damaged (${what})`,
  );
}

type Part = SourcePart | PositionPart | TablePart | HistoryPart | null;

/** A part as the record keeps it. The parts are plain data; TypeScript cannot see that an interface has no other members. */
export function encodePart(part: Part): Json {
  return part as unknown as Json;
}
