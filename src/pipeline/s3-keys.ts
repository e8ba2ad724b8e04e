import { resolve } from "node:path";
import type { z } from "zod";
import type { StoreLocation } from "../stores/open-store.ts";
import type { S3Options } from "../stores/s3/options.ts";
import type { PlaceSpec } from "./spec.ts";
import { durationMs, flag, integer, secret, text, word } from "./value.ts";

const BUCKET = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s;
/** A folder under the name of another protocol would be taken for what was meant. */
const PLACE = /^(?:s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/.*)?|(?![A-Za-z][A-Za-z0-9+.-]*:\/\/).+)$/s;

/** An option whose value is a folder or a place in a bucket. */
export function placeKey(description: string): ReturnType<typeof word> {
  return word(PLACE, "the path of a folder, or `s3://bucket/prefix`", description);
}

type Option<T> = z.ZodType<T>;

interface S3Keys {
  readonly "s3.endpoint": Option<string | undefined>;
  readonly "s3.region": Option<string | undefined>;
  readonly "s3.path-style": Option<boolean | undefined>;
  readonly "s3.access-key-id": Option<string | undefined>;
  readonly "s3.secret-access-key": Option<PlaceSecret | undefined>;
  readonly "s3.connect.timeout": Option<number>;
  readonly "s3.request.timeout": Option<number>;
  readonly "s3.attempts": Option<number>;
}

type PlaceSecret = NonNullable<Extract<PlaceSpec, { readonly kind: "s3" }>["secretAccessKey"]>;

/** Of a place in a bucket, what its options say. */
export type S3Given = { readonly [Key in keyof S3Keys]: z.output<S3Keys[Key]> };

/** The options of a place in a bucket, each with `prefix` before its name. */
export function s3Keys<Prefix extends "" | "staging.">(
  prefix: Prefix,
): { readonly [Key in keyof S3Keys as `${Prefix}${Key}`]: S3Keys[Key] } {
  const keys: S3Keys = {
    "s3.endpoint": word(
      /^https?:\/\/[^\s]+$/,
      "a URL, like `https://minio.example.com:9000`",
      "Of a store that is not AWS's.",
    ).optional(),
    "s3.region": text("The bucket's region. Default: where AWS's own tools look for it.").optional(),
    "s3.path-style": flag(
      `The bucket in the path instead of the host's name: what most stores that are not AWS's need. Default: true with \`${prefix}s3.endpoint\`.`,
    ).optional(),
    "s3.access-key-id": text(
      `With \`${prefix}s3.secret-access-key\`. Default: credentials as AWS's own tools find them (environment, profiles, web identity, instance), renewed when they expire.`,
    ).optional(),
    "s3.secret-access-key": secret(`With \`${prefix}s3.access-key-id\`. Take it from the environment.`).optional(),
    "s3.connect.timeout": durationMs(100, 600_000, "from 100ms to 10min", "For a connection to the store.").prefault(
      "10s",
    ),
    "s3.request.timeout": durationMs(
      100,
      3_600_000,
      "from 100ms to 1h",
      "For an answer: how long nothing may be sent and nothing come.",
    ).prefault("60s"),
    "s3.attempts": integer(1, 100, "How often a request is tried that fails in a way that may pass.").prefault("8"),
  };
  type Prefixed = ReturnType<typeof s3Keys<Prefix>>;
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [prefix + key, value as unknown])) as Prefixed;
}

/** Those of a section whose options have `staging.` before their names. */
export function stagingGiven(options: { readonly [Key in keyof S3Keys as `staging.${Key}`]: S3Given[Key] }): S3Given {
  const entries = Object.entries(options).flatMap(([key, value]) =>
    key.startsWith("staging.s3.") ? [[key.slice("staging.".length), value]] : [],
  );
  return Object.fromEntries(entries) as S3Given;
}

/** What is wrong with a place and its options together, each at the option it is about, in a sentence. */
export function placeIssues(
  at: { readonly key: string; readonly prefix: "" | "staging." },
  path: string,
  given: S3Given,
): readonly { readonly key: string; readonly message: string }[] {
  const issues: { key: string; message: string }[] = [];
  const issue = (key: string, message: string): void => void issues.push({ key, message });
  const named = (key: keyof S3Keys): string => at.prefix + key;
  const ofS3 = ["s3.endpoint", "s3.region", "s3.path-style", "s3.access-key-id", "s3.secret-access-key"] as const;
  for (const key of ofS3)
    if (!path.startsWith("s3://") && given[key] !== undefined)
      issue(named(key), `\`${named(key)}\` goes with a \`${at.key}\` of the form \`s3://bucket/prefix\``);
  const prefix = BUCKET.exec(path)?.[2]?.replace(/\/$/, "") ?? "";
  // Some stores take these for another place, and some for none.
  if (prefix !== "" && prefix.split("/").some((part) => ["", ".", ".."].includes(part)))
    issue(at.key, `\`${at.key}\` has an empty part, or one of dots, behind its bucket`);
  const endpoint = given["s3.endpoint"];
  const problem = endpoint === undefined ? null : endpointProblem(endpoint, at.prefix);
  if (problem !== null) issue(named("s3.endpoint"), `\`${named("s3.endpoint")}\` ${problem}`);
  const [id, key] = ["s3.access-key-id", "s3.secret-access-key"] as const;
  if (given[id] !== undefined && given[key] === undefined) issue(named(id), `\`${named(id)}\` needs \`${named(key)}\``);
  if (given[id] === undefined && given[key] !== undefined)
    issue(named(key), `\`${named(key)}\` needs \`${named(id)}\``);
  return issues;
}

/** Without the text itself: it may hold a password. */
function endpointProblem(text: string, prefix: string): string | null {
  if (!URL.canParse(text)) return "is no URL";
  const { username, password, search, hash } = new URL(text);
  if (username !== "" || password !== "")
    return `takes no user and password: they go into \`${prefix}s3.access-key-id\` and \`${prefix}s3.secret-access-key\``;
  return search === "" && hash === "" ? null : "ends with its host, port and path: nothing behind a `?` or `#`";
}

/** A folder is relative to that of the pipeline file. */
export function placeSpec(
  path: string,
  given: S3Given,
  folder: string,
  uploads: Pick<S3Options, "partBytes" | "parallelUploads">,
): PlaceSpec {
  const bucket = BUCKET.exec(path);
  if (bucket === null) return { kind: "folder", path: resolve(folder, path) };
  const [, name, prefix = ""] = bucket;
  const endpoint = given["s3.endpoint"] ?? null;
  return {
    kind: "s3",
    bucket: name!,
    prefix: prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`,
    endpoint,
    region: given["s3.region"] ?? null,
    pathStyle: given["s3.path-style"] ?? endpoint !== null,
    accessKeyId: given["s3.access-key-id"] ?? null,
    secretAccessKey: given["s3.secret-access-key"] ?? null,
    ...uploads,
    connectTimeoutMs: given["s3.connect.timeout"],
    requestTimeoutMs: given["s3.request.timeout"],
    attemptsMax: given["s3.attempts"],
  };
}

/** Where it is, for people. */
export function placeText(place: PlaceSpec): string {
  return place.kind === "folder" ? place.path : `s3://${place.bucket}/${place.prefix}`;
}

/** For a store, the credentials among it. */
export function storeLocation(place: PlaceSpec): StoreLocation {
  if (place.kind === "folder") return place;
  const { accessKeyId, secretAccessKey, ...s3 } = place;
  const credentials =
    accessKeyId === null || secretAccessKey === null
      ? null
      : { accessKeyId, secretAccessKey: secretAccessKey.reveal() };
  return { ...s3, credentials };
}
