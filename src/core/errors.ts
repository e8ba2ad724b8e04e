import type { Retry } from "./error-code-info.ts";
import { ERROR_CODES, type ErrorCode } from "./error-codes.ts";

/** Where bad input stands: `file:line:column`, a table, a log position; whatever is known. */
export interface ErrorPlace {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly table?: string;
  readonly position?: string;
}

/**
 * The one error class (law 7). `message` is one sentence that says what happened, without row values or secrets; `hint`
 * says what to do and holds the statement to run where there is one. The code's meaning, retry and exit code come from
 * the table in `error-codes.ts`, from which docs/errors.md is generated.
 */
export class MillraceError extends Error {
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly hint: string;
  readonly place: ErrorPlace;

  constructor(code: ErrorCode, message: string, options: { hint?: string; place?: ErrorPlace; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MillraceError";
    this.code = code;
    this.retry = ERROR_CODES[code].retry;
    this.hint = options.hint ?? ERROR_CODES[code].action;
    this.place = options.place ?? {};
  }

  /** The process exit code that ends with this error (0–3, 130; see docs/errors.md). */
  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }
}

/** Ends an exhaustive switch: a new member of the union does not compile until it is handled. */
export function assertNever(value: never): never {
  throw new MillraceError("INTERNAL", `unhandled case ${JSON.stringify(value)}`);
}

/** The error as this house's class: what comes from elsewhere and was not classified becomes `INTERNAL`. */
export function asMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new MillraceError("INTERNAL", message, { cause: error });
}
