import { link, open, rename, rm } from "node:fs/promises";
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

/** Writes beside, then gives the file its name, in one step; durable when it resolves, where that is wanted. */
export async function putFile(
  staging: Staging,
  key: string,
  bytes: Uint8Array,
  condition: PutCondition | null,
  durable: boolean,
): Promise<ObjectInfo> {
  const [path, unnamed] = [staging.pathOf(key), staging.putPathOf(key)];
  try {
    const tag = await staging.inFolderOf(unnamed, () => written(unnamed, bytes, durable));
    await staging.inFolderOf(path, () => nameIt(unnamed, path, key, condition));
    if (durable) await syncPath(dirname(path));
    return { key, bytes: bytes.byteLength, tag };
  } finally {
    await rm(unnamed, { force: true });
  }
}

/** Writes under the key's own name, for readers that are told of it afterwards. Null: something is there. */
export async function putInPlace(staging: Staging, key: string, bytes: Uint8Array): Promise<ObjectInfo | null> {
  const path = staging.pathOf(key);
  try {
    const tag = await staging.inFolderOf(path, () => written(path, bytes, false));
    return { key, bytes: bytes.byteLength, tag };
  } catch (error) {
    if (systemCode(error) === "EEXIST") return null;
    await rm(path, { force: true });
    throw error;
  }
}

/** The tag that the file keeps under whatever name. */
async function written(path: string, bytes: Uint8Array, durable: boolean): Promise<string> {
  await using file = await open(path, "wx");
  await file.writeFile(bytes);
  if (durable) await file.sync();
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
