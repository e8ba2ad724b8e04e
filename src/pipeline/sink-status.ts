import { STAGED_KEY, type CommittedRecord } from "../core/record.ts";
import { decodeStaged } from "../sinks/parquet/epoch-entry.ts";
import { sinkPlace } from "./catalog.ts";
import type { PipelineSpec } from "./spec.ts";

/** What `status` says of a sink, without opening it: a run may have it open. */
export interface SinkStatus {
  readonly type: string;
  /** For people; null: it is nowhere. */
  readonly place: string | null;
  /** Of the newest record's epoch, where the sink writes files. */
  readonly files: { readonly count: number; readonly rows: number; readonly bytes: number } | null;
}

export function sinkStatus(spec: PipelineSpec, record: CommittedRecord | null): SinkStatus {
  const { type } = spec.sink;
  const staged = type === "parquet" ? decodeStaged(record?.parts.get(STAGED_KEY)) : undefined;
  const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);
  const files = staged && {
    count: staged.files.length,
    rows: sum(staged.files.map(({ rows }) => rows)),
    bytes: sum(staged.files.map(({ bytes }) => bytes)),
  };
  return { type, place: sinkPlace(spec), files: files ?? null };
}
