import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { StoredEpochs } from "../core/checkpoint-store.ts";
import { MillraceError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { CommittedRecord } from "../core/record.ts";

/** The version of the file that `millrace state export` writes. A newer one is refused. */
const VERSION = 1;

/** What JSON was parsed from is nothing else. */
const anyJson = z.custom<Json>(() => true);
const record = z.strictObject({
  epoch: z.int().nonnegative(),
  token: z.int().nonnegative(),
  parts: z.record(z.string(), anyJson),
});
const content = z.strictObject({ pipeline: z.string(), confirmed: record.nullable(), newest: record });
const file = z.strictObject({ millrace: z.literal("state"), version: z.int(), sha256: z.string(), state: content });
const versionOnly = z.looseObject({ millrace: z.literal("state"), version: z.int() });

/** A pipeline's state as JSON, with a checksum over what it says. */
export function encodeState(pipeline: string, { confirmed, newest }: StoredEpochs): string {
  const plain = ({ epoch, token, parts }: CommittedRecord): Json => ({
    epoch,
    token,
    parts: Object.fromEntries(parts),
  });
  const state = { pipeline, confirmed: confirmed === null ? null : plain(confirmed), newest: plain(newest) };
  return `${JSON.stringify({ millrace: "state", version: VERSION, sha256: checksum(state), state }, null, 1)}\n`;
}

function checksum(state: unknown): string {
  return createHash("sha256").update(JSON.stringify(state)).digest("hex");
}

function decodeState(text: string, pipeline: string, path: string): StoredEpochs {
  const json = jsonOrNull(text);
  const version = versionOnly.safeParse(json);
  if (!version.success) throw invalid(path, "it is not one that `millrace state export` writes");
  if (version.data.version > VERSION)
    throw invalid(path, `it has version ${version.data.version}, and this Millrace knows versions up to ${VERSION}`);
  const parsed = file.safeParse(json);
  // The checksum is over the text of what was read, whatever order it has.
  if (!parsed.success || checksum((json as { state: unknown }).state) !== parsed.data.sha256)
    throw invalid(path, "it was changed or is not complete");
  const { state } = parsed.data;
  if (state.pipeline !== pipeline)
    throw invalid(path, `it is of the pipeline ${state.pipeline}, and this one is called ${pipeline}`);
  const whole = ({ epoch, token, parts }: z.output<typeof record>): CommittedRecord => ({
    epoch,
    token,
    parts: new Map(Object.entries(parts)),
  });
  return { confirmed: state.confirmed === null ? null : whole(state.confirmed), newest: whole(state.newest) };
}

/** Fails with `STATE_FILE_INVALID`, and with `USAGE` where there is no such file. */
export async function readStateFile(path: string, pipeline: string): Promise<StoredEpochs> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new MillraceError("USAGE", `${path} cannot be read: ${(error as Error).message}`, { place: { file: path } });
  }
  return decodeState(text, pipeline, path);
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function invalid(path: string, why: string): MillraceError {
  return new MillraceError("STATE_FILE_INVALID", `${path} cannot be imported: ${why}`, { place: { file: path } });
}
