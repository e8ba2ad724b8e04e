import type { ColumnRoom } from "../core/column-builder.ts";
import type { TableSchema } from "../core/table-schema.ts";
import type { OpenBatch } from "./open-batch.ts";

/** A delivered table, as the decoder keeps it. */
export class TableLog {
  schema: TableSchema;
  /** Nothing more of it is delivered. */
  ended: boolean = false;
  batch: OpenBatch | null = null;
  /** That the last batch took. */
  room: readonly ColumnRoom[] | null = null;
  /** No less than the bytes of `batch`; cheap to keep, unlike the exact figure. */
  bytesBound: number = 0;

  constructor(schema: TableSchema) {
    this.schema = schema;
  }
}
