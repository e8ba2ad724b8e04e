import { MillraceError } from "../core/errors.ts";
import type { CommittedRecord, EpochRecord } from "../core/record.ts";

/** Fails where `record` cannot follow `newest` in the store of `pipeline`, as this run knows it: see `CheckpointStore.put`. */
export function checkNext(pipeline: string, newest: CommittedRecord | null, record: EpochRecord): void {
  const next = (newest?.epoch ?? 0) + 1;
  if (record.pipeline !== pipeline)
    throw new MillraceError("INTERNAL", `a record of pipeline ${record.pipeline} in the store of ${pipeline}`);
  if (newest !== null && newest.token > record.token) throw fenced(`its token is ${newest.token}`, record);
  if (record.epoch !== next) throw fenced(`its next epoch is ${next}`, record);
}

/** What a run is told that has nothing to put, and so would not find out. */
export function takenOver(place: string): MillraceError {
  return new MillraceError("FENCED", `another process has taken over the checkpoint in ${place}`);
}

export function fenced(what: string, record: CommittedRecord): MillraceError {
  return new MillraceError(
    "FENCED",
    `the checkpoint store has gone on without this run: ${what}, not that of epoch ${record.epoch} with token ${record.token}`,
  );
}
