/**
 * What every room may ask of its surroundings, always handed in through a constructor: time, log, metrics, failpoints.
 */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Milliseconds on a clock that never goes back. */
  monotonicMs(): number;
  /** Resolves after that long; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Fields of a log line: names, counts, positions; never row values or secrets (law 8). */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** `message` is stable lower-case words. warn: it recovers by itself; error: somebody must act. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Every failpoint there is, by the step just after it (law 10). The kill test runs over this list. */
export const FAILPOINTS = [
  "source.slot-created",
  "source.publication-created",
  "snapshot.table-planned",
  "snapshot.chunk-opened",
  "snapshot.chunk-read",
  "snapshot.chunk-entered",
  "engine.recovered",
  "engine.epoch-closing",
  "engine.record-stored",
  "engine.sink-committed",
  "engine.acknowledged",
  "checkpoint.file-written",
  "checkpoint.file-renamed",
  "checkpoint.base-written",
  "checkpoint.redis-staged",
  "checkpoint.redis-written",
  "sink.table-begun",
  "sink.schema-applied",
  "sink.files-staged",
  "sink.changes-applied",
  "sink.record-written",
  "sink.file-completed",
  "worker.batch-staged",
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/** Called at each dangerous step. Off in production: a function that does nothing. May throw or end the process. */
export type FailpointHook = (at: Failpoint) => void;

export const noFailpoints: FailpointHook = () => undefined;

export interface Ambient {
  /** This process's own id, for locks. */
  readonly pid: number;
  /** Bytes of this process that are in memory now, all of its threads'. */
  residentBytes(): number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly failpoint: FailpointHook;
}
