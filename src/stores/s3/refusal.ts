import { MillraceError } from "../../core/errors.ts";
import type { ErrorCode } from "../../core/error-codes.ts";

/** An answer that is no success, or the lack of one, as far as the client's many kinds of errors have it in common. */
export interface Refusal {
  /** `NoSuchKey`; of an answer without a body what the status is called, of the network `ECONNRESET`. */
  readonly name: string;
  readonly message: string;
  /** Null: no answer came. */
  readonly status: number | null;
  /** The client's own, all without an effect, or with one of which nothing was heard. */
  readonly attempts: number;
  /** Where the bucket is; not known of every answer. */
  readonly region: string | null;
}

const CREDENTIALS = [
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidToken",
  "InvalidSecurity",
  "TokenRefreshRequired",
  "CredentialsProviderError",
  "TokenProviderError",
];
const REGION = ["PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"];
const BUSY = [
  "SlowDown",
  "SlowDownRead",
  "SlowDownWrite",
  "Throttling",
  "ThrottlingException",
  "RequestLimitExceeded",
  "TooManyRequests",
];
const FULL = ["QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"];
/** Node's own names: waiting does not make a certificate right. */
const CERTIFICATE = /CERT|^UNABLE_TO_|^ERR_(TLS|SSL)_/;
const UNREACHABLE = /^(TimeoutError|RequestTimeout|IncompleteBody|E[A-Z_]+)$/;

/** What the client itself refuses, before anything is sent. */
const UNNAMED = "unnamed";

interface ClientError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly Code?: unknown;
  readonly Region?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** Keeps nothing of the error but this: it holds the request with its signature. */
export function refusalOf(error: unknown): Refusal {
  const { name, message, code, Code, Region, $metadata, $response } = (error ?? {}) as ClientError;
  const status = $metadata?.httpStatusCode ?? null;
  const known = [Code, code, name]
    .map(text)
    .find((it) => it !== null && !["Error", "Unknown", "UnknownError", "S3ServiceException"].includes(it));
  return {
    name: known ?? String(status ?? UNNAMED),
    message: plainMessage(text(message) ?? ""),
    status,
    attempts: $metadata?.attempts ?? 1,
    region: text(Region) ?? text($response?.headers?.["x-amz-bucket-region"]),
  };
}

/** Without what is of the client, and of no use to anybody. */
function plainMessage(message: string): string {
  const [, tls] = /\bSSL routines:[^:]*:([^:]+)/.exec(message) ?? [];
  return (tls ?? message)
    .replace(/^UnknownError$/, "")
    .replace(/^@smithy\/\S+ - /, "")
    .replace(/ \(configured by client requestHandler\)/, "")
    .replace(/\s+/g, " ")
    .slice(0, 300);
}

/** The code of a refusal that the caller has not expected. */
function codeOf({ name, status, message }: Refusal): ErrorCode {
  if (CREDENTIALS.includes(name)) return "STORE_CREDENTIALS";
  if (REGION.includes(name) || status === 301 || message === "Region is missing") return "STORE_REGION";
  if (BUSY.includes(name) || status === 429 || status === 503) return "STORE_BUSY";
  if (FULL.includes(name) || status === 507) return "STORE_FULL";
  if (name === "NoSuchBucket") return "STORE_MISSING";
  if (status === 412) return "STORE_CONDITION";
  if (status === 501 || name === "NotImplemented") return "STORE_UNSUPPORTED";
  if (status === 401 || status === 403) return "STORE_DENIED";
  if (CERTIFICATE.test(name)) return "STORE_FAILED";
  if ((status !== null && status >= 500) || UNREACHABLE.test(name)) return "STORE_UNREACHABLE";
  return "STORE_FAILED";
}

/** `doing` as in "cannot <doing>". */
export function refused(refusal: Refusal, doing: string, place: string): MillraceError {
  const { name, message, status, attempts } = refusal;
  if (status === 200) return noS3(place);
  const code = codeOf(refusal);
  const answer = status === null ? name : name === String(status) ? `status ${status}` : `${name} (${status})`;
  const tries = attempts > 1 ? `, after ${attempts} attempts` : "";
  const hint = hintOf(refusal, code);
  const said = [name === UNNAMED ? "" : `${answer}${tries}`, message].filter((part) => part !== "");
  return new MillraceError(code, [`cannot ${doing} ${place}`, ...said].join(": "), {
    place: { file: place },
    ...(hint === null ? {} : { hint }),
  });
}

const CHECK_ENDPOINT = "Check the endpoint: another server may be there, or a proxy that answers in its place.";

/** Where more is known than what the table says of the code. */
function hintOf({ name, status, region }: Refusal, code: ErrorCode): string | null {
  if (code === "STORE_REGION")
    return region === null
      ? "Set the bucket's own region in the pipeline file, or in the variable AWS_REGION."
      : `Set the region of the bucket: ${region}.`;
  if (name === "EPROTO" || name.startsWith("ERR_SSL"))
    return "What listens there speaks no TLS that is understood: begin the endpoint with `http://`, or correct its port.";
  if (CERTIFICATE.test(name))
    return "The server's certificate is not trusted here, or is for another name: correct the endpoint, or name the file of its authority in the variable NODE_EXTRA_CA_CERTS.";
  if (name === "ECONNRESET")
    return "Check the endpoint and the network from this machine. A port that speaks TLS breaks off like this where the endpoint begins with `http://`.";
  // S3 says what it refuses; that a listing is not there it never says.
  const isForeign = name === String(status) || name === "NoSuchKey" || name === "NotFound";
  if (code === "STORE_FAILED" && isForeign) return CHECK_ENDPOINT;
  return null;
}

/** An answer that says that all is well, and is not what S3 says then. */
export function noS3(place: string): MillraceError {
  return new MillraceError("STORE_FAILED", `what answers for ${place} does not speak as S3 does`, {
    place: { file: place },
    hint: CHECK_ENDPOINT,
  });
}
