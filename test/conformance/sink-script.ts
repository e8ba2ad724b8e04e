import type { Json } from "../../src/core/json.ts";
import { STAGED_KEY, type CommittedRecord, type EpochRecord } from "../../src/core/record.ts";
import type { Sink } from "../../src/core/sink.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { absent, batch, column, table } from "./batch.ts";

export const PIPELINE = "conformance";
export const int64 = { kind: "int", bits: 64 } as const;
export const text = { kind: "text" } as const;

export const scripted: TableSchema = table("scripted", [column("id", int64), column("name", text)], [0]);
const widened: TableSchema = table("scripted", [...scripted.columns, column("grade", text, "none")], [0], 2);

export function record(epoch: number, parts: Record<string, string | null> = {}, token = 1): EpochRecord {
  return { pipeline: PIPELINE, epoch, token, parts: new Map(Object.entries(parts)) };
}

/** Ends an epoch as the engine does. */
export async function commit(sink: Sink, epoch: EpochRecord): Promise<void> {
  const staged = await sink.prepare();
  await sink.commit(staged === null ? epoch : withStaged(epoch, staged));
}

export function withStaged(epoch: EpochRecord, staged: Json): EpochRecord {
  return { ...epoch, parts: new Map(epoch.parts).set(STAGED_KEY, staged) };
}

/** The rows after each epoch of the script, as text, in order. */
export const SCRIPT_ROWS: readonly (readonly (readonly (string | null)[])[])[] = [
  [],
  [
    ["1", "one"],
    ["2", "two"],
    ["3", "three"],
  ],
  [
    ["1", "uno", "none"],
    ["3", "three", "good"],
    ["4", "four", "none"],
    ["5", "five", "new"],
  ],
];

/**
 * A pipeline's life in two epochs, from wherever the sink says it is: a table is begun, its snapshot and changes
 * committed; then a column is added, and changes of both versions follow. Run to the end, or killed on the way.
 */
export async function runScript(sink: Sink, committed: CommittedRecord | null): Promise<void> {
  if (committed === null) {
    await sink.beginTable(scripted, 1, "create");
    await sink.write(batch(scripted, [{ op: "insert", cells: [3n, "three"] }]));
    await sink.write(
      batch(scripted, [
        { op: "upsert", cells: [1n, "one"] },
        { op: "upsert", cells: [2n, "two"] },
      ]),
    );
    await commit(sink, record(1, { position: "1" }));
  }
  if (committed === null || committed.epoch === 1) {
    await sink.applySchema(widened);
    await sink.write(
      batch(scripted, [
        { op: "update", cells: [1n, "uno"] },
        { op: "delete", cells: [2n, absent] },
        { op: "insert", cells: [4n, "four"] },
      ]),
    );
    await sink.write(
      batch(widened, [
        { op: "insert", cells: [5n, "five", "new"] },
        { op: "update", cells: [3n, absent, "good"] },
      ]),
    );
    await commit(sink, record(2, { position: "2" }));
  }
}
