import type { BufferPool } from "../../core/buffer-pool.ts";
import type { ChunkReader, ChunkRequest } from "../../core/chunk.ts";
import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { encodeBatch } from "../../formats/batch-file.ts";
import { transferable } from "../chunk-message.ts";
import { type ChunkReport, chunkReport, type StagedObject } from "./chunk-job.ts";
import type { StagingArea } from "./staging-area.ts";

/** Removing what is left is a courtesy: the run does it again. */
const REMOVE_MS = 5_000;

export interface StageChunkOptions {
  readonly staging: StagingArea;
  /** Where the readers take their buffers from. */
  readonly pool: BufferPool;
  readonly ambient: Pick<Ambient, "failpoint">;
}

/** Reads a chunk and stages its rows, each batch while the next one is read. What it has staged goes where it fails. */
export async function stageChunk(
  reader: ChunkReader,
  request: ChunkRequest,
  { staging, pool, ambient }: StageChunkOptions,
  signal: AbortSignal,
): Promise<ChunkReport> {
  const nameOf = staging.names(request.grant);
  const objects: StagedObject[] = [];
  let cut: { readonly json: Json } | null = null;
  let putting: Promise<void> = Promise.resolve();
  try {
    const outcome = await reader.read(
      request,
      {
        opened: (json) => void (cut = { json }),
        batch: async (batch) => {
          await putting;
          const pieces = encodeBatch(batch);
          const name = nameOf(objects.length + 1);
          objects.push({ name, bytes: pieces.reduce((sum, { byteLength }) => sum + byteLength, 0) });
          putting = staging.put(name, pieces, signal).then(() => {
            for (const buffer of transferable(batch)) pool.give(buffer);
            ambient.failpoint("worker.batch-staged");
          });
          // Whoever waits for it hears of a failure.
          putting.catch(() => undefined);
        },
      },
      signal,
    );
    await putting;
    const opened = cut as { readonly json: Json } | null;
    if (opened === null) throw new MillraceError("INTERNAL", "a chunk was read without a cut");
    return chunkReport({ cut: opened.json, outcome, objects });
  } catch (error) {
    await putting.catch(() => undefined);
    await staging.remove(objects, AbortSignal.timeout(REMOVE_MS)).catch(() => undefined);
    throw error;
  }
}
