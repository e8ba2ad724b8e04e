import type { ChangeBatch } from "../core/change-batch.ts";
import type { ChunkOutcome, ChunkRequest } from "../core/chunk.ts";
import type { Json } from "../core/json.ts";
import type { SentError } from "../core/sent-error.ts";

/** What the engine tells a chunk worker. `chunk` names the request that it is about, so that a late answer finds no one. */
export type ToWorker =
  | { readonly kind: "read"; readonly chunk: number; readonly request: ChunkRequest }
  /** A batch was taken: another may be sent. */
  | { readonly kind: "credit"; readonly chunk: number }
  /** Of batches that are written: to be used again. */
  | { readonly kind: "buffers"; readonly buffers: readonly ArrayBuffer[] }
  | { readonly kind: "cancel"; readonly chunk: number }
  | { readonly kind: "close" };

/** What a chunk worker answers. Every `read` ends with one `outcome` or `failed`. */
export type FromWorker =
  | { readonly kind: "opened"; readonly chunk: number; readonly cut: Json }
  | { readonly kind: "batch"; readonly chunk: number; readonly batch: ChangeBatch }
  | { readonly kind: "outcome"; readonly chunk: number; readonly outcome: ChunkOutcome }
  | { readonly kind: "failed"; readonly chunk: number; readonly error: SentError };

/** Batches of one chunk that may be under way to the engine: one being sent while another is being taken. */
export const BATCH_CREDITS = 2;

/** The buffers of a batch, each once, to be moved rather than copied. */
export function transferable(batch: ChangeBatch): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  const add = (view: Uint8Array | Int32Array | null): void => {
    if (view !== null && view.buffer instanceof ArrayBuffer) buffers.add(view.buffer);
  };
  add(batch.ops);
  for (const { values, offsets, validity, absent } of batch.columns) {
    add(values);
    add(offsets);
    add(validity);
    add(absent);
  }
  return [...buffers];
}
