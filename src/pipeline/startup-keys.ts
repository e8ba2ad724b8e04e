import { z } from "zod";
import type { Startup } from "../core/startup.ts";
import { areGtids } from "../sources/mysql/position/startup-gtids.ts";
import { choice, integer, text, word } from "./value.ts";

const MODE = "scan.startup.mode";
const FILE = "scan.startup.specific-offset.file";
const POS = "scan.startup.specific-offset.pos";
const GTIDS = "scan.startup.specific-offset.gtid-set";
const MILLIS = "scan.startup.timestamp-millis";

/** Flink CDC's words. */
const MODES = {
  initial: "initial",
  "latest-offset": "latest",
  "earliest-offset": "earliest",
  "specific-offset": "specific",
  timestamp: "timestamp",
  snapshot: "snapshot",
} as const;
const WORDS = "`initial`, `latest-offset`, `earliest-offset`, `specific-offset`, `timestamp` or `snapshot`";

type Mode = (typeof MODES)[keyof typeof MODES];

/** Those that take a log from before the pipeline was begun. */
const OF_OLDER_LOG = { earliest: "earliest-offset", specific: "specific-offset", timestamp: "timestamp" } as const;
type ModeOfOlderLog = keyof typeof OF_OLDER_LOG;

function isOfOlderLog(mode: Mode): mode is ModeOfOlderLog {
  return Object.hasOwn(OF_OLDER_LOG, mode);
}

const BEGINS =
  "Where the pipeline begins, when nothing of it was committed yet: `initial` (a snapshot of the tables, then their changes), `latest-offset` (only what changes from now on)";
const ENDS =
  "or `snapshot` (the tables alone: the run ends when it has them, and there is nothing to go on with). Later runs go on from the checkpoint, whatever stands here.";

interface PostgresStartupKeys {
  readonly [MODE]: z.ZodType<Startup>;
}

const NO_OLDER_LOG =
  "is for MySQL and MariaDB: a replication slot of PostgreSQL has no log from before it was made; use `initial`, `latest-offset` or `snapshot`";

export const postgresStartupKeys: PostgresStartupKeys = {
  [MODE]: choice(MODES, "`initial`, `latest-offset` or `snapshot`", `${BEGINS}, ${ENDS}`)
    .transform((mode, context): Startup => {
      if (!isOfOlderLog(mode)) return { kind: mode };
      const message = `\`${MODE}: ${OF_OLDER_LOG[mode]}\` ${NO_OLDER_LOG}`;
      context.issues.push({ code: "custom", message, input: mode, params: { complete: true } });
      return z.NEVER;
    })
    // An editor offers those that go.
    .meta({ anyOf: [{ enum: ["initial", "latest-offset", "snapshot"] }, { pattern: "\\$\\{" }] })
    .prefault("initial"),
};

interface BinlogStartupOptions {
  readonly [MODE]: Mode;
  readonly [FILE]?: string | undefined;
  readonly [POS]?: number | undefined;
  readonly [GTIDS]?: string | undefined;
  readonly [MILLIS]?: number | undefined;
}

type BinlogStartupKeys = { readonly [Key in keyof BinlogStartupOptions]-?: z.ZodType<BinlogStartupOptions[Key]> };

const OFFSET_MAX = 999_999_999_999_999;
/** A binlog file begins with four bytes that are no event. */
const OFFSET_MIN = 4;
/** The end of the year 9999. */
const MILLIS_MAX = 253_402_300_799_999;

export const binlogStartupKeys: BinlogStartupKeys = {
  [MODE]: choice(
    MODES,
    WORDS,
    `${BEGINS}, \`earliest-offset\` (everything that the server's binlog files still have, without a snapshot), \`specific-offset\` and \`timestamp\` (from the place in the log that the options below name, without a snapshot) ${ENDS}`,
  ).prefault("initial"),
  [FILE]: word(
    /^[^/\s]+\.[0-9]{6,}$/,
    "the name of a binlog file, like `binlog.000003`",
    `With \`${MODE}: specific-offset\` and \`${POS}\`: the binlog file to begin in.`,
  ).optional(),
  [POS]: integer(
    OFFSET_MIN,
    OFFSET_MAX,
    `With \`${FILE}\`: the offset to begin at. A transaction begins or the file ends there.`,
  ).optional(),
  [GTIDS]: text(
    `With \`${MODE}: specific-offset\`: what counts as delivered already, as \`gtid_executed\` shows it on MySQL and \`gtid_binlog_pos\` on MariaDB.`,
  )
    .refine(
      areGtids,
      "a set of GTIDs, like `3e11fa47-71ca-11e1-9e33-c80aa9429562:1-23` on MySQL or `0-1-23` on MariaDB",
    )
    .optional(),
  [MILLIS]: integer(
    0,
    MILLIS_MAX,
    `With \`${MODE}: timestamp\`: milliseconds since 1970. The first transaction in the log that was committed then or later is the first to be delivered.`,
  ).optional(),
};

/** What is wrong with the options together, at the option it is about. */
export function binlogStartupIssue(
  options: BinlogStartupOptions,
): { readonly key: string; readonly message: string } | null {
  const mode = options[MODE];
  const needs = (message: string): { key: string; message: string } => ({ key: MODE, message });
  const only = (key: string, word: string): { key: string; message: string } => ({
    key,
    message: `\`${key}\` goes with \`${MODE}: ${word}\``,
  });
  if (mode !== "timestamp" && options[MILLIS] !== undefined) return only(MILLIS, "timestamp");
  if (mode === "timestamp" && options[MILLIS] === undefined) return needs(`\`${MODE}: timestamp\` needs \`${MILLIS}\``);
  const [given] = ([FILE, POS, GTIDS] as const).filter((key) => options[key] !== undefined);
  if (mode !== "specific") return given === undefined ? null : only(given, "specific-offset");
  const hasFile = options[FILE] !== undefined || options[POS] !== undefined;
  if (options[GTIDS] !== undefined)
    return hasFile
      ? { key: GTIDS, message: `name a place by \`${FILE}\` and \`${POS}\` or by \`${GTIDS}\`, not by both` }
      : null;
  const whole = options[FILE] !== undefined && options[POS] !== undefined;
  return whole ? null : needs(`\`${MODE}: specific-offset\` needs \`${FILE}\` and \`${POS}\`, or \`${GTIDS}\``);
}

/** Of options without such an issue. */
export function binlogStartup(options: BinlogStartupOptions): Startup {
  const mode = options[MODE];
  if (mode === "timestamp") return { kind: "timestamp", ms: options[MILLIS]! };
  if (mode !== "specific") return { kind: mode };
  const gtids = options[GTIDS];
  return gtids === undefined ? { kind: "file", file: options[FILE]!, offset: options[POS]! } : { kind: "gtids", gtids };
}
