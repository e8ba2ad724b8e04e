import { parentPort, workerData } from "node:worker_threads";
import { MillraceError } from "../core/errors.ts";
import { serveChunks } from "../snapshot/chunk-server.ts";
import { openChunkReader, type ChunkWorkerData } from "./chunk-readers.ts";

// The entry of a worker thread that reads chunks: the only composition root beside compose.ts.
if (parentPort === null) throw new MillraceError("INTERNAL", "the chunk worker runs in a worker thread");
await serveChunks(parentPort, openChunkReader(workerData as ChunkWorkerData));
