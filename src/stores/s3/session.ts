import { setMaxListeners } from "node:events";
import type { S3, S3ClientConfig } from "@aws-sdk/client-s3";
import { MillraceError } from "../../core/errors.ts";
import type { S3Options } from "./options.ts";
import { type Refusal, refusalOf, refused } from "./refusal.ts";

/** One request: `doing` as in "cannot <doing>", `expects` the names of answers that the caller has a use for. */
export interface S3Request<Output> {
  readonly doing: string;
  readonly place: string;
  readonly expects?: readonly string[];
  call(s3: S3, options: { readonly abortSignal: AbortSignal }): Promise<Output>;
}

export type S3Answer<Output> =
  | { readonly kind: "done"; readonly output: Output }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** How a request's bytes are checked: what AWS does today, or what servers know that came before it. */
export type Checksums = "crc32" | "md5";

/** What the server says when credentials ran out between two requests, whatever the client believed of them. */
const EXPIRED = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];

const ignore = (): void => undefined;
/** Everything that matters comes as an error; the client's own lines would hold keys and inputs. */
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** The AWS client, loaded when it is first needed: it is large, and most pipelines never do. */
export class S3Session implements AsyncDisposable {
  readonly #options: S3Options;
  #checksums: Checksums = "crc32";
  #client: Promise<S3> | null = null;

  constructor(options: S3Options) {
    this.#options = options;
  }

  get checksums(): Checksums {
    return this.#checksums;
  }

  /** From now on requests are checked in that way. */
  async useChecksums(checksums: Checksums): Promise<void> {
    if (checksums === this.#checksums) return;
    await this[Symbol.asyncDispose]();
    this.#checksums = checksums;
  }

  /** The answer, or an error with a code where it is none that the request expects. */
  async send<Output>(request: S3Request<Output>, signal: AbortSignal): Promise<S3Answer<Output>> {
    signal.throwIfAborted();
    // Each request that is under way listens, and hundreds may be.
    setMaxListeners(0, signal);
    const answer = await this.#attempt(request, signal);
    if (answer.kind === "done" || request.expects?.includes(answer.refusal.name) === true) return answer;
    throw refused(answer.refusal, request.doing, request.place);
  }

  /** The output of a request that expects nothing but success. */
  async output<Output>(request: S3Request<Output>, signal: AbortSignal): Promise<Output> {
    const answer = await this.send(request, signal);
    if (answer.kind === "done") return answer.output;
    throw refused(answer.refusal, request.doing, request.place);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const client = await this.#client?.catch(() => null);
    this.#client = null;
    client?.destroy();
  }

  /** Once more with new credentials where those that there were have expired. */
  async #attempt<Output>(request: S3Request<Output>, signal: AbortSignal): Promise<S3Answer<Output>> {
    const s3 = await (this.#client ??= createClient(this.#options, this.#checksums));
    const answer = await attempted(s3, request, signal);
    if (answer.kind === "done" || !EXPIRED.includes(answer.refusal.name) || this.#options.credentials !== null)
      return answer;
    try {
      await s3.config.credentials({ forceRefresh: true });
    } catch (error) {
      return { kind: "refused", refusal: refusalOf(error) };
    }
    return await attempted(s3, request, signal);
  }
}

async function attempted<Output>(s3: S3, request: S3Request<Output>, signal: AbortSignal): Promise<S3Answer<Output>> {
  try {
    return { kind: "done", output: await request.call(s3, { abortSignal: signal }) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof MillraceError) throw error;
    return { kind: "refused", refusal: refusalOf(error) };
  }
}

/**
 * Repeats are the client's own ("standard" mode): up to `attemptsMax` of one request, after a random part of a time that doubles
 * from 50 ms, or from 1 s where the server asks for fewer requests (SlowDown, 429), up to 20 s. It repeats after 500, 502, 503 and
 * 504, resets, time-outs and names that do not resolve, never after another 4xx; and it ceases to repeat when most requests
 * fail, until some succeed again. Credentials that say when they expire are renewed before.
 */
async function createClient(options: S3Options, checksums: Checksums): Promise<S3> {
  const { S3 } = await import("@aws-sdk/client-s3");
  const { endpoint, region, credentials } = options;
  const checked = checksums === "crc32" ? "WHEN_SUPPORTED" : "WHEN_REQUIRED";
  const config: S3ClientConfig = {
    ...(endpoint === null ? {} : { endpoint }),
    ...(region === null ? {} : { region }),
    ...(region === null && endpoint !== null ? { region: "us-east-1" } : {}),
    ...(credentials === null ? {} : { credentials }),
    forcePathStyle: options.pathStyle,
    retryMode: "standard",
    maxAttempts: options.attemptsMax,
    requestChecksumCalculation: checked,
    responseChecksumValidation: checked,
    // It would take a new connection for every part.
    expectContinueHeader: false,
    logger: SILENT,
    requestHandler: {
      connectionTimeout: options.connectTimeoutMs,
      socketTimeout: options.requestTimeoutMs,
      logger: SILENT,
    },
  };
  const s3 = new S3(config);
  readBodiesInAttempts(s3);
  signPartsByChecksum(s3);
  return s3;
}

/**
 * The signature of an upload's part covers its checksum and not a SHA-256 of all its bytes: AWS's other clients do so over
 * TLS, and a server that looks at signatures need not hold a part in memory until it has read the last byte of it.
 */
function signPartsByChecksum(s3: S3): void {
  s3.middlewareStack.add(
    (next, context) => (args) => {
      const { headers } = args.request as { readonly headers: Record<string, string> };
      if (context.commandName === "UploadPartCommand") headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
      return next(args);
    },
    { step: "build", name: "millraceSignParts" },
  );
}

/** So that a body that breaks off, or does not have its checksum, is asked for again like any other answer. */
function readBodiesInAttempts(s3: S3): void {
  s3.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const output = result.output as { Body?: { transformToByteArray(): Promise<Uint8Array> } };
      if (output.Body !== undefined) {
        const bytes = await output.Body.transformToByteArray();
        output.Body = { transformToByteArray: () => Promise.resolve(bytes) };
      }
      return result;
    },
    { step: "deserialize", priority: "high", name: "millraceReadBody" },
  );
}
