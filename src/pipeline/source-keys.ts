import { z } from "zod";
import type { Startup } from "../core/startup.ts";
import type { SourceSettings } from "./spec.ts";
import { choice, durationMs, integer } from "./value.ts";

const HOUR_MS = 3_600_000;
const SECONDS_TO_HOUR = "from 1s to 1h";

/** YAML's own null is one of the words. */
const POLICIES = "`error`, `null` or `text`";

/** An option that always has a value. */
type Option<T> = z.ZodType<T>;

interface SourceKeys {
  readonly "ssl.mode": Option<SourceSettings["ssl"]>;
  readonly "connect.timeout": Option<number>;
  readonly "connect.max-retries": Option<number>;
  readonly "lock.timeout": Option<number>;
  readonly "complete.timeout": Option<number>;
  readonly "scan.incremental.snapshot.chunk.size": Option<number>;
  readonly "unrepresentable-values": Option<SourceSettings["unrepresentable"]>;
}

/** The options that every database has as a source. */
export const sourceKeys: SourceKeys = {
  "ssl.mode": choice(
    { disable: "disable", require: "require", "verify-full": "verify" } as const,
    "`disable`, `require` (encrypted, the certificate unchecked) or `verify-full`",
    "TLS: `disable`, `require` (encrypted, the certificate unchecked) or `verify-full` (the certificate and its host name checked against the authorities that Node.js knows; NODE_EXTRA_CA_CERTS adds to them).",
  ).prefault("disable"),
  "connect.timeout": durationMs(1000, HOUR_MS, SECONDS_TO_HOUR, "How long to wait for a connection.").prefault("30s"),
  "connect.max-retries": integer(
    0,
    100,
    "How often a lost or refused connection is tried again before the run fails.",
  ).prefault("3"),
  "lock.timeout": durationMs(
    100,
    HOUR_MS,
    "from 100ms to 1h",
    "The longest that any statement waits for a lock on a table: an application behind it in the queue waits as long.",
  ).prefault("5s"),
  "complete.timeout": durationMs(
    1000,
    HOUR_MS,
    SECONDS_TO_HOUR,
    "How long to wait until a row can be fetched that a change did not carry whole; then its table stops.",
  ).prefault("1min"),
  "scan.incremental.snapshot.chunk.size": integer(
    100,
    10_000_000,
    "About how many rows of a table are read in one transaction of the snapshot. A chunk is also bounded by bytes.",
  ).prefault("100000"),
  "unrepresentable-values": z
    .union([z.string(), z.null()], POLICIES)
    .transform((word) => word ?? "null")
    .pipe(choice({ error: "error", null: "null", text: "text" } as const, POLICIES, ""))
    .meta({
      description:
        "What happens to a value that the sink's type cannot hold, like NaN in a decimal: `error` stops its table, `null` writes NULL, `text` makes every column of such a type a text column.",
      anyOf: [{ enum: ["error", "null", "text", null] }, { type: "string", pattern: "\\$\\{" }],
    })
    .prefault("error"),
};

type SourceOptions = { readonly [Key in keyof SourceKeys]: z.output<SourceKeys[Key]> };

/** What of them is the same in every source's part of the spec. */
export function sourceSettings(options: SourceOptions, startup: Startup): SourceSettings {
  return {
    startup,
    ssl: options["ssl.mode"],
    connectTimeoutMs: options["connect.timeout"],
    connectRetriesMax: options["connect.max-retries"],
    lockTimeoutMs: options["lock.timeout"],
    completeTimeoutMs: options["complete.timeout"],
    chunkRows: options["scan.incremental.snapshot.chunk.size"],
    unrepresentable: options["unrepresentable-values"],
  };
}
