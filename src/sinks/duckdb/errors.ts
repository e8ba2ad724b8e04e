import { MillraceError } from "../../core/errors.ts";

interface Pattern {
  readonly test: RegExp;
  readonly make: (match: RegExpExecArray, path: string, cause: unknown) => MillraceError;
}

/** DuckDB gives an error's class only in its text. First match wins: the more precise ones stand before their class. */
const PATTERNS: readonly Pattern[] = [
  {
    test: /Could not set lock on file/,
    make: (_match, path, cause) => {
      const holder = /Conflicting lock is held in (.*?) \(PID (\d+)\)/.exec(messageOf(cause));
      const by = holder === null ? "another process" : `${holder[1]!} (process ${holder[2]!})`;
      const hint = holder === null ? undefined : `End process ${holder[2]!} or close the file there, then run again.`;
      return new MillraceError("SINK_LOCKED", `The DuckDB file ${path} is open in ${by}.`, options(cause, hint));
    },
  },
  {
    test: /not a valid DuckDB database file/,
    make: (_match, path, cause) =>
      new MillraceError("SINK_NOT_DUCKDB", `${path} exists and is not a DuckDB database.`, options(cause)),
  },
  {
    test: /version number|newer version of DuckDB|older version of DuckDB/i,
    make: (_match, path, cause) =>
      new MillraceError("SINK_NEWER_FORMAT", `${path} has a storage format this DuckDB cannot read.`, options(cause)),
  },
  {
    test: /No space left on device|File too large|max_temp_directory_size|There is not enough space|Disk quota exceeded/i,
    make: (_match, path, cause) =>
      new MillraceError("SINK_DISK_FULL", `The disk of the DuckDB file ${path} is full.`, options(cause)),
  },
  {
    test: /Out of Memory Error|failed to allocate|could not allocate|failed to pin block/i,
    make: (_match, path, cause) =>
      new MillraceError("SINK_OUT_OF_MEMORY", `DuckDB reached its memory limit while writing ${path}.`, options(cause)),
  },
  {
    test: /Cannot open file.*No such file or directory|Is a directory|Permission denied|Read-only file system|Cannot open file/s,
    make: (match, path, cause) => {
      const why = match[0].includes("No such file")
        ? "its folder does not exist"
        : match[0].includes("directory")
          ? "it is a folder"
          : "the permissions do not allow it";
      return new MillraceError("SINK_UNOPENABLE", `The DuckDB file ${path} cannot be opened: ${why}.`, options(cause));
    },
  },
  {
    test: /Corrupt database file|checksum|FATAL Error|database has been invalidated/i,
    make: (_match, path, cause) =>
      new MillraceError("SINK_DAMAGED", `The DuckDB file ${path} is damaged, or DuckDB gave it up.`, options(cause)),
  },
  {
    test: /INTERRUPT Error|Interrupted!/,
    make: (_match, path, cause) =>
      new MillraceError("SINK_CLOSED", `Writing to ${path} was interrupted.`, options(cause)),
  },
  {
    test: /TransactionContext Error.*[Cc]onflict|Conflict on (update|tuple deletion)|write-write conflict/s,
    make: (_match, path, cause) =>
      new MillraceError("FENCED", `Another run of this pipeline writes to ${path}.`, options(cause)),
  },
  {
    test: /Constraint Error.*(Duplicate key|primary key constraint|PRIMARY KEY)/s,
    make: (_match, path, cause) =>
      new MillraceError("SINK_DUPLICATE_KEY", `A key of a row is in the target in ${path} already.`, options(cause)),
  },
  {
    test: /Parser Error|Binder Error|INTERNAL Error/,
    make: (_match, path, cause) =>
      new MillraceError("INTERNAL", `DuckDB did not understand a statement on ${path}.`, options(cause)),
  },
  {
    test: /Catalog Error: (Table|View) with name .* already exists/s,
    make: (_match, path, cause) =>
      new MillraceError("SINK_TABLE_EXISTS", `A table or view of that name is in ${path} already.`, options(cause)),
  },
  {
    test: /Catalog Error/,
    make: (_match, path, cause) =>
      new MillraceError("SINK_DAMAGED", `A table or column is missing in ${path}, or has changed.`, options(cause)),
  },
];

/**
 * What a failure of DuckDB means. The sentence never holds DuckDB's own text, which may quote a row's value; that stays
 * in `cause`, which is not logged. The class of an unknown one (`Binder Error`) is named.
 */
export function duckdbError(error: unknown, path: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const message = messageOf(error);
  for (const { test, make } of PATTERNS) {
    const match = test.exec(message);
    if (match !== null) return make(match, path, error);
  }
  const kind = /^([A-Za-z-]+(?: [A-Za-z-]+)?) Error:/.exec(message)?.[1];
  const what = kind === undefined ? "an error of no known kind" : `a ${kind} error`;
  return new MillraceError("SINK_FAILED", `DuckDB answered with ${what} while working on ${path}.`, options(error));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function options(cause: unknown, hint?: string): { cause: unknown; hint?: string } {
  return hint === undefined ? { cause } : { cause, hint };
}
