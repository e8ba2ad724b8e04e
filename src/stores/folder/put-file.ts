import { type FileHandle, link, open, rename, rm } from "node:fs/promises";
import type { BigIntStats } from "node:fs";
import { dirname } from "node:path";
import { MillraceError } from "../../core/errors.ts";
import { syncPath, systemCode } from "../../flow/durable-file.ts";
import type { ObjectInfo, PutCondition } from "../object-store.ts";
import type { Staging } from "./staging.ts";
import { statOf } from "./walk.ts";

/** Of file systems that know no second name for a file. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** A file has another one after every `put`: it is another file then. */
export function tagOf(stat: BigIntStats): string {
  return `${stat.ino}-${stat.size}-${stat.mtimeNs}`;
}

/** Writes beside, then gives the file its name, in one step; durable when it resolves. */
export async function putFile(
  staging: Staging,
  key: string,
  bytes: Uint8Array,
  condition: PutCondition | null,
): Promise<ObjectInfo> {
  const [path, unnamed] = [staging.pathOf(key), staging.putPathOf(key)];
  try {
    const tag = await staging.inFolderOf(unnamed, () => writeDurably(unnamed, bytes));
    await staging.inFolderOf(path, () => nameIt(unnamed, path, key, condition));
    await syncPath(dirname(path));
    return { key, bytes: bytes.byteLength, tag };
  } finally {
    await rm(unnamed, { force: true });
  }
}

/** Writes under the key's own name, for readers that are told of it afterwards. */
export async function putInPlace(staging: Staging, key: string, pieces: readonly Uint8Array[]): Promise<void> {
  const path = staging.pathOf(key);
  const file = await staging.inFolderOf(path, () => open(path, "wx"));
  try {
    await using _ = file;
    await writeAll(file, pieces);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** In as few calls as it takes: each one is a way to another thread and back. */
async function writeAll(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  for (let rest = pieces; rest.length > 0;) {
    const { bytesWritten } = await file.writev(rest);
    rest = behind(rest, bytesWritten);
  }
}

function behind(pieces: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let [at, left] = [0, bytes];
  while (at < pieces.length && left >= pieces[at]!.byteLength) left -= pieces[at++]!.byteLength;
  return at === pieces.length ? [] : [pieces[at]!.subarray(left), ...pieces.slice(at + 1)];
}

/** Returns the tag that the file keeps under whatever name. */
async function writeDurably(path: string, bytes: Uint8Array): Promise<string> {
  await using file = await open(path, "wx");
  await file.writeFile(bytes);
  await file.sync();
  return tagOf(await file.stat({ bigint: true }));
}

async function nameIt(unnamed: string, path: string, key: string, condition: PutCondition | null): Promise<void> {
  if (condition?.kind === "absent") return await linkIt(unnamed, path, key);
  // No file system has this as one step: who needs it asks for `conditionalReplace` first, which `open` denies.
  if (condition?.kind === "same") {
    const stat = await statOf(path);
    if (stat === null || tagOf(stat) !== condition.tag) throw conditionFailed(key, "it was changed meanwhile");
  }
  await rename(unnamed, path);
}

async function linkIt(unnamed: string, path: string, key: string): Promise<void> {
  try {
    await link(unnamed, path);
  } catch (error) {
    if (systemCode(error) === "EEXIST") throw conditionFailed(key, "it is there already");
    if (!NO_LINKS.includes(systemCode(error) ?? "")) throw error;
    throw new MillraceError("STORE_UNSUPPORTED", `the file system of ${path} cannot link files`, {
      place: { file: path },
      cause: error,
    });
  }
}

function conditionFailed(key: string, why: string): MillraceError {
  return new MillraceError("STORE_CONDITION", `${key} was not written: ${why}`, { place: { file: key } });
}
