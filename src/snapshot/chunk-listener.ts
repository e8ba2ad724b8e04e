import type { ChangeBatch } from "../core/change-batch.ts";
import type { Json } from "../core/json.ts";

/** Where the rows of a chunk go as it is read. */
export interface ChunkListener {
  /** Once, before the first row. */
  opened(cut: Json): void;
  /** The next batch comes when it resolves. A rejection ends the chunk with that error. */
  batch(batch: ChangeBatch): Promise<void>;
}
