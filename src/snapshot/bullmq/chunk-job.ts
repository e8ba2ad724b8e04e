import { z } from "zod";
import type { ChunkGrant, ChunkOutcome, ChunkRequest } from "../../core/chunk.ts";
import { ERROR_CODES, type ErrorCode } from "../../core/error-codes.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { receivedError } from "../../core/sent-error.ts";

/** Of what jobs and their results look like. Run and workers are of one version, or say that they are not. */
const FORMAT = 1;

/** What a job holds: no secret and no row, but bounds of keys, as the checkpoint does. */
export interface ChunkJob {
  readonly format: number;
  readonly request: ChunkRequest;
}

/** What a job's result holds, when all rows of the chunk are staged. */
export interface ChunkReport {
  readonly format: number;
  readonly cut: Json;
  readonly outcome: ChunkOutcome;
  /** The chunk's batches in their order, an object each. */
  readonly objects: readonly StagedObject[];
}

export interface StagedObject {
  readonly name: string;
  readonly bytes: number;
}

export const QUEUE = "chunks";
export const JOB = "chunk";

/** Before all keys of the pipeline's queue. The braces put them into one slot, should a cluster ever have them. */
export function queuePrefix(pipeline: string): string {
  // It is in the names of connections too, and those have no spaces.
  return `{millrace:${encodeURIComponent(pipeline)}}`;
}

/** One job a grant: to add it again is nothing. */
export function jobId({ token, chunk, attempt }: ChunkGrant): string {
  return `${token}-${chunk}-${attempt}`;
}

export function isSameGrant(a: ChunkGrant, b: ChunkGrant): boolean {
  return jobId(a) === jobId(b);
}

export function chunkJob(request: ChunkRequest): ChunkJob {
  return { format: FORMAT, request };
}

export function chunkReport(report: Omit<ChunkReport, "format">): ChunkReport {
  return { format: FORMAT, ...report };
}

const count = z.int().nonnegative();
const grant = z.object({ chunk: count, attempt: count, token: count });
const bound = z.array(z.string()).nullable();
const range = z.object({ lower: bound, upper: bound });
const schema = z.looseObject({ id: z.string(), columns: z.array(z.looseObject({ name: z.string() })) });
const request = z.object({ grant, schema, range, rowsMax: count, bytesMax: count });
const jobSchema = z.object({ format: z.literal(FORMAT), request });
const reportSchema = z.object({
  format: z.literal(FORMAT),
  cut: z.unknown(),
  outcome: z.object({ grant, schema, rows: count, bytes: count, rest: range.nullable() }),
  objects: z.array(z.object({ name: z.string(), bytes: count })),
});

export function parseJob(data: unknown): ChunkJob {
  const parsed = jobSchema.safeParse(data);
  if (!parsed.success) throw otherVersion("the chunk that the queue holds");
  // What the schema leaves out is the source's own, and was written by this house.
  return data as ChunkJob;
}

export function parseReport(data: unknown): ChunkReport {
  const parsed = reportSchema.safeParse(data);
  if (!parsed.success) throw otherVersion("what a worker says of a chunk");
  return data as ChunkReport;
}

function otherVersion(what: string): MillraceError {
  return new MillraceError("CHUNK_WORKER_LOST", `${what} is not understood`, {
    hint: "Let the run and all its workers be of the same version of Millrace.",
  });
}

const sentSchema = z.object({
  code: z.string().refine((code): code is ErrorCode => Object.hasOwn(ERROR_CODES, code)),
  message: z.string(),
  hint: z.string(),
  place: z.record(z.string(), z.union([z.string(), z.number()])),
});

/** Why a job has failed, as its worker's error; null: nobody has said so, its workers were lost. */
export function failureOf(reason: string): MillraceError | null {
  try {
    return receivedError(sentSchema.parse(JSON.parse(reason)));
  } catch {
    return null;
  }
}
