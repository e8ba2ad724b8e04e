import { crc32 } from "node:zlib";
import { z } from "zod";
import type { Json } from "../../core/json.ts";

/** The version of the file format. A newer one is refused, an older one is migrated. */
export const FILE_VERSION = 1;

/** `base`: all parts as of an epoch. `epoch`: the parts that one epoch changed, a null for each that went away. */
export type FileKind = "base" | "epoch";

export interface FileContent {
  readonly kind: FileKind;
  readonly pipeline: string;
  readonly epoch: number;
  readonly token: number;
  readonly parts: ReadonlyMap<string, Json>;
}

export type DecodedFile =
  | { readonly kind: "content"; readonly content: FileContent }
  | { readonly kind: "newer"; readonly version: number }
  | { readonly kind: "damaged"; readonly why: string };

/** What JSON was parsed from is nothing else; looking at every value of a large record again would take most of a start. */
const anyJson = z.custom<Json>(() => true);

const payloadSchema = z.strictObject({
  pipeline: z.string(),
  epoch: z.int().nonnegative(),
  token: z.int().nonnegative(),
  parts: z.record(z.string(), anyJson),
});

const HEADER = /^(millrace checkpoint (\d+) (base|epoch) (\d+)) ([0-9a-f]{8})$/;
const LINE_END = 0x0a;

/**
 * A first line, `millrace checkpoint <version> <kind> <length> <crc32>`, then JSON of `length` bytes with one part a
 * line, for people. The CRC is over the line before it and the JSON, so no byte of the file can change unseen. The first
 * line keeps this form in every later version.
 */
export function encodeFile(content: FileContent): Uint8Array {
  const parts = [...content.parts].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const { pipeline, epoch, token } = content;
  const head = `{"pipeline":${JSON.stringify(pipeline)},"epoch":${epoch},"token":${token},"parts":{`;
  const payload = Buffer.from(`${head}\n${parts.join(",\n")}\n}}\n`);
  const line = `millrace checkpoint ${FILE_VERSION} ${content.kind} ${payload.byteLength}`;
  return Buffer.concat([Buffer.from(`${line} ${checksum(line, payload)}\n`), payload]);
}

function checksum(line: string, payload: Uint8Array): string {
  return crc32(payload, crc32(line)).toString(16).padStart(8, "0");
}

export function decodeFile(bytes: Uint8Array): DecodedFile {
  const end = bytes.indexOf(LINE_END);
  if (end < 0) return damaged("its first line is incomplete");
  const header = HEADER.exec(Buffer.from(bytes.subarray(0, end)).toString("latin1"));
  if (header === null) return damaged("its first line is not one of a checkpoint file");
  const payload = bytes.subarray(end + 1);
  if (payload.byteLength !== Number(header[4])) return damaged(`it has ${payload.byteLength} of ${header[4]} bytes`);
  if (checksum(header[1]!, payload) !== header[5]) return damaged("its checksum does not match");
  const version = Number(header[2]);
  if (version > FILE_VERSION) return { kind: "newer", version };
  return decodePayload(header[3] === "base" ? "base" : "epoch", payload);
}

function decodePayload(kind: FileKind, payload: Uint8Array): DecodedFile {
  const parsed = payloadSchema.safeParse(jsonOrNull(Buffer.from(payload).toString("utf8")));
  if (!parsed.success) return damaged("its content is not that of a checkpoint file");
  const { pipeline, epoch, token, parts } = parsed.data;
  return { kind: "content", content: { kind, pipeline, epoch, token, parts: new Map(Object.entries(parts)) } };
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function damaged(why: string): DecodedFile {
  return { kind: "damaged", why };
}
