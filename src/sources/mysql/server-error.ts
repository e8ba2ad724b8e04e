import type { ErrorCode } from "../../core/error-codes.ts";
import { MillraceError } from "../../core/errors.ts";
import { type MysqlOptions, serverAddress } from "./config.ts";

/** Socket errors before a connection stands. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EADDRNOTAVAIL",
  "ENOENT",
  "EACCES",
]);

/** The last three are mysql2's own. */
const LOST = new Set([
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ECONNABORTED",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
  "PROTOCOL_CONNECTION_LOST",
  "PROTOCOL_UNEXPECTED_PACKET",
  "PROTOCOL_ERROR",
]);

/**
 * The servers' error numbers (MySQL *Server Error Message Reference*, MariaDB *Error Codes*; from 1900 to 1999 and from
 * 4000 on they differ between the two).
 */
export const Errno = {
  badField: 1054,
  noSuchTable: 1146,
  tableAccessDenied: 1142,
  unknownDatabase: 1049,
  noSuchIndex: 1176,
  lockWaitTimeout: 1205,
  tableDefinitionChanged: 1412,
  cannotConvert: 3854,
  /** XAER_RMERR: what MySQL answers to XA RECOVER without XA_RECOVER_ADMIN. */
  xaManager: 1401,
} as const;

const BY_NUMBER: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>(
  (
    [
      ["SOURCE_AUTH", [1045, 1129, 1130, 1251, 1275, 1698, 1820, 1862, 3118, 3159, 4151]],
      ["SOURCE_BUSY", [1040, 1203, 1226, 1461]],
      // A temporary table that is full is one whose file cannot grow.
      ["SOURCE_DISK_FULL", [1021, 1114]],
      // 1317 is what a killed session says of the statement it was in.
      ["SOURCE_CONNECTION_LOST", [1053, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 3169, 4031]],
      ["SOURCE_LOCK_TIMEOUT", [Errno.lockWaitTimeout, 1213, Errno.tableDefinitionChanged]],
      ["SOURCE_NO_DATABASE", [Errno.unknownDatabase]],
      ["SOURCE_PRIVILEGE", [1044, 1142, 1143, 1227, 1370]],
    ] as const
  ).flatMap(([code, numbers]) => numbers.map((number) => [number, code] as const)),
);

/** The system's own error, which servers put into the message where a file cannot be written; its number is ENOSPC. */
const NO_SPACE = /\b(?:errno|errcode|error):? 28\b/i;

/** The message of a data exception or a violated constraint quotes values of rows (law 8). */
const QUOTES_VALUES = /^2[23]/;
/** Of no such class all the same; a syntax error quotes the statement, and that has keys in it. */
const QUOTING_NUMBERS = new Set([1064, 1366, 1411, 1525]);

/** An error of mysql2, or of the socket under it, as this house's. */
export function statementError(options: MysqlOptions, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  if (error instanceof AggregateError && error.errors.length > 0) return statementError(options, error.errors[0]);
  const { code, errno, sqlState, syscall } = (error ?? {}) as Readonly<Record<string, unknown>>;
  const message = error instanceof Error ? error.message : String(error);
  if (typeof sqlState === "string" && typeof errno === "number") return serverError(errno, sqlState, message);
  const at = serverAddress(options);
  if (typeof code === "string" && UNREACHABLE.has(code))
    return new MillraceError("SOURCE_UNREACHABLE", `cannot connect to the source at ${at} (${code})`, { cause: error });
  if (code === "ETIMEDOUT" && syscall === "connect")
    return new MillraceError(
      "SOURCE_UNREACHABLE",
      `the source at ${at} did not answer within ${options.connectTimeoutMs} ms`,
      { cause: error },
    );
  if (code === "HANDSHAKE_NO_SSL_SUPPORT" || code === "HANDSHAKE_SSL_ERROR")
    return new MillraceError("SOURCE_AUTH", `no encrypted connection to the source at ${at}: ${message}`, {
      hint: "Set `ssl.mode` to what the server offers: disable, require, or verify.",
      cause: error,
    });
  const unknownLogin = /unknown plugin (\w+)/.exec(message)?.[1];
  if (unknownLogin !== undefined)
    return new MillraceError(
      "SOURCE_AUTH",
      `the source at ${at} wants a login by ${unknownLogin}, which is not known here`,
      {
        hint: "Let the user log in by `caching_sha2_password`, or on MariaDB by `mysql_native_password` (`ALTER USER … IDENTIFIED VIA mysql_native_password USING PASSWORD('…')`).",
        cause: error,
      },
    );
  if (code === "AUTH_SWITCH_PLUGIN_ERROR" || /authenticat/i.test(message))
    return new MillraceError("SOURCE_AUTH", `the source at ${at} refused the login: ${message}`, { cause: error });
  if ((typeof code === "string" && LOST.has(code)) || /in closed state/.test(message))
    return new MillraceError("SOURCE_CONNECTION_LOST", `the connection to the source at ${at} broke`, { cause: error });
  return new MillraceError("INTERNAL", message, { cause: error });
}

/** mysql2 puts the statement into its error, keys and all, so that goes no further than its number. */
function serverError(errno: number, sqlState: string, message: string): MillraceError {
  const code = BY_NUMBER.get(errno) ?? (NO_SPACE.test(message) ? "SOURCE_DISK_FULL" : "SOURCE_STATEMENT_FAILED");
  const cause = new ServerErrno(errno);
  if (QUOTES_VALUES.test(sqlState) || QUOTING_NUMBERS.has(errno))
    return new MillraceError(code, `the source refused a statement (error ${errno}, SQLSTATE ${sqlState})`, { cause });
  return new MillraceError(code, `the source said: ${message} (error ${errno}, SQLSTATE ${sqlState})`, { cause });
}

/** The number of a server's error, kept as the cause of ours for those who decide by it. */
class ServerErrno extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`error ${errno}`);
    this.name = "ServerErrno";
    this.errno = errno;
  }
}

export function serverErrno(error: unknown): number | null {
  return error instanceof MillraceError && error.cause instanceof ServerErrno ? error.cause.errno : null;
}
