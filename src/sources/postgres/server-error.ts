import pg from "pg";
import type { ErrorCode } from "../../core/error-codes.ts";
import { MillraceError } from "../../core/errors.ts";
import type { PostgresOptions } from "./config.ts";

/** Socket errors before a connection stands. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EADDRNOTAVAIL",
]);

const LOST = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "ECONNABORTED", "ERR_STREAM_DESTROYED"]);

/** SQLSTATEs, from the server's errcodes.txt; a class of two characters stands for all that begin with it. */
const BY_STATE: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ["28", "SOURCE_AUTH"],
  ["3D", "SOURCE_NO_DATABASE"],
  ["08", "SOURCE_CONNECTION_LOST"],
  ["42501", "SOURCE_PRIVILEGE"],
  ["53100", "SOURCE_DISK_FULL"],
  ["53300", "SOURCE_BUSY"],
  ["53400", "SOURCE_BUSY"],
  ["40P01", "SOURCE_LOCK_TIMEOUT"],
  ["55P03", "SOURCE_LOCK_TIMEOUT"],
  ["57P01", "SOURCE_CONNECTION_LOST"],
  ["57P02", "SOURCE_CONNECTION_LOST"],
  ["57P03", "SOURCE_UNREACHABLE"],
  ["57P05", "SOURCE_CONNECTION_LOST"],
]);

/** The message of a data exception or a violated constraint quotes values of rows (law 8). */
const QUOTES_VALUES = /^2[23]/;

/** An error of `pg`, or of the socket under it, as this house's. */
export function statementError(options: PostgresOptions, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  if (error instanceof pg.DatabaseError) return databaseError(error);
  if (error instanceof AggregateError && error.errors.length > 0) return statementError(options, error.errors[0]);
  const message = error instanceof Error ? error.message : String(error);
  const at = `${options.hostname}:${options.port}`;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string" && UNREACHABLE.has(code))
    return new MillraceError("SOURCE_UNREACHABLE", `cannot connect to the source at ${at} (${code})`, { cause: error });
  if (/timeout expired/i.test(message))
    return new MillraceError(
      "SOURCE_UNREACHABLE",
      `the source at ${at} did not answer within ${options.connectTimeoutMs} ms`,
      { cause: error },
    );
  if (/SSL|TLS|certificate/i.test(message) || (typeof code === "string" && /CERT|SSL/.test(code)))
    return new MillraceError("SOURCE_AUTH", `no encrypted connection to the source at ${at}: ${message}`, {
      hint: "Set `ssl.mode` to what the server offers: disable, require, or verify.",
      cause: error,
    });
  if (/SASL|password/i.test(message))
    return new MillraceError("SOURCE_AUTH", `the source at ${at} refused the login: ${message}`, { cause: error });
  if (
    /Connection terminated|not queryable|Client was closed/i.test(message) ||
    (typeof code === "string" && LOST.has(code))
  )
    return new MillraceError("SOURCE_CONNECTION_LOST", `the connection to the source at ${at} broke`, { cause: error });
  return new MillraceError("INTERNAL", message, { cause: error });
}

function databaseError(error: pg.DatabaseError): MillraceError {
  const state = error.code ?? "";
  const code = BY_STATE.get(state) ?? BY_STATE.get(state.slice(0, 2)) ?? "SOURCE_STATEMENT_FAILED";
  if (QUOTES_VALUES.test(state)) return new MillraceError(code, `the source refused a statement (SQLSTATE ${state})`);
  const message = `the source said: ${error.message} (SQLSTATE ${state})`;
  // The detail may hold a row's values, so the server's own error goes no further than its code.
  return new MillraceError(code, message, { cause: new SqlState(state) });
}

/** The SQLSTATE of a server's error, kept as the cause of ours for those who decide by it. */
class SqlState extends Error {
  readonly state: string;

  constructor(state: string) {
    super(`SQLSTATE ${state}`);
    this.name = "SqlState";
    this.state = state;
  }
}

export function sqlState(error: unknown): string | null {
  return error instanceof MillraceError && error.cause instanceof SqlState ? error.cause.state : null;
}
