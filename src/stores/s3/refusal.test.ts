import { expect, test } from "vitest";
import { refusalOf, refused } from "./refusal.ts";

const answer = (status: number, name: string): object =>
  Object.assign(new Error("said so"), { name, $metadata: { httpStatusCode: status, attempts: 2 } });
const network = (code: string): object => Object.assign(new Error(code), { code });

test.each<[object, string, "timed" | "manual" | "never"]>([
  [answer(500, "InternalError"), "STORE_UNREACHABLE", "timed"],
  [answer(502, "Unknown"), "STORE_UNREACHABLE", "timed"],
  [answer(503, "SlowDown"), "STORE_BUSY", "timed"],
  [answer(503, "ServiceUnavailable"), "STORE_BUSY", "timed"],
  [answer(429, "TooManyRequests"), "STORE_BUSY", "timed"],
  [answer(404, "NoSuchBucket"), "STORE_MISSING", "manual"],
  [answer(403, "AccessDenied"), "STORE_DENIED", "manual"],
  [
    Object.assign(answer(403, "AccessDenied"), { $response: { headers: { "x-amz-bucket-region": "eu-west-1" } } }),
    "STORE_DENIED",
    "manual",
  ],
  [answer(403, "403"), "STORE_DENIED", "manual"],
  [answer(403, "SignatureDoesNotMatch"), "STORE_CREDENTIALS", "manual"],
  [answer(403, "InvalidAccessKeyId"), "STORE_CREDENTIALS", "manual"],
  [answer(400, "ExpiredToken"), "STORE_CREDENTIALS", "manual"],
  [answer(301, "PermanentRedirect"), "STORE_REGION", "manual"],
  [answer(507, "InsufficientStorage"), "STORE_FULL", "manual"],
  [answer(403, "QuotaExceeded"), "STORE_FULL", "manual"],
  [answer(412, "PreconditionFailed"), "STORE_CONDITION", "never"],
  [answer(501, "NotImplemented"), "STORE_UNSUPPORTED", "manual"],
  [answer(400, "EntityTooSmall"), "STORE_FAILED", "manual"],
  [Object.assign(new Error("late"), { name: "TimeoutError" }), "STORE_UNREACHABLE", "timed"],
  [Object.assign(new Error("none"), { name: "CredentialsProviderError" }), "STORE_CREDENTIALS", "manual"],
  [new Error("Region is missing"), "STORE_REGION", "manual"],
  [network("ECONNRESET"), "STORE_UNREACHABLE", "timed"],
  [network("ENOTFOUND"), "STORE_UNREACHABLE", "timed"],
  [network("DEPTH_ZERO_SELF_SIGNED_CERT"), "STORE_FAILED", "manual"],
  [network("UNABLE_TO_VERIFY_LEAF_SIGNATURE"), "STORE_FAILED", "manual"],
  [network("ERR_TLS_CERT_ALTNAME_INVALID"), "STORE_FAILED", "manual"],
  [new Error("something else"), "STORE_FAILED", "manual"],
])("%o is %s, to be tried again: %s", (error, code, retry) => {
  const refusal = refused(refusalOf(error), "read", "s3://lake/a");
  expect(refusal).toMatchObject({ code, retry, place: { file: "s3://lake/a" } });
  expect(refusal.message).toMatch(/^cannot read s3:\/\/lake\/a: /);
});

test("nothing is kept of the request that was signed", () => {
  const error = Object.assign(new Error("no"), {
    name: "SignatureDoesNotMatch",
    StringToSign: "AWS4 swordfish",
    AWSAccessKeyId: "swordfish",
    $metadata: { httpStatusCode: 403 },
  });
  const refusal = refused(refusalOf(error), "read", "s3://lake/a");
  expect(`${refusal.stack} ${JSON.stringify(refusal)} ${String(refusal.cause)}`).not.toContain("swordfish");
});
