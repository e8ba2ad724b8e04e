import { parentPort } from "node:worker_threads";
import { MillraceError } from "../core/errors.ts";
import { serveEncoder } from "../formats/parquet/encoder-server.ts";

// The entry of a worker thread that encodes Parquet.
if (parentPort === null) throw new MillraceError("INTERNAL", "the Parquet worker runs in a worker thread");
serveEncoder(parentPort);
