import type { ErrorCode } from "./error-codes.ts";
import { asMillraceError, MillraceError, type ErrorPlace } from "./errors.ts";

/** An error as it crosses threads and processes. */
export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly place: ErrorPlace;
}

export function sentError(error: unknown): SentError {
  const { code, message, hint, place } = asMillraceError(error);
  return { code, message, hint, place };
}

export function receivedError({ code, message, hint, place }: SentError): MillraceError {
  return new MillraceError(code, message, { hint, place });
}
