import { parentPort, workerData } from "node:worker_threads";
import { BufferPool } from "../core/buffer-pool.ts";
import { MillraceError } from "../core/errors.ts";
import { serveChunks } from "../snapshot/chunk-server.ts";
import { chunkReaders, type ChunkWorkerData } from "./chunk-readers.ts";

/** The batches of a chunk, and a half. */
const POOL_BYTES_MAX = 12 << 20;

// The entry of a worker thread that reads chunks: the only composition root beside compose.ts.
if (parentPort === null) throw new MillraceError("INTERNAL", "the chunk worker runs in a worker thread");
const pool = new BufferPool(POOL_BYTES_MAX);
const openReader = await chunkReaders(workerData as ChunkWorkerData);
await serveChunks(parentPort, () => openReader(pool), pool);
