import { lstat, readdir } from "node:fs/promises";
import type { BigIntStats, Dirent } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../../flow/durable-file.ts";
import { compareKeys } from "../object-key.ts";

/** A file that was met, with its path from where the walk began, between slashes. */
export interface WalkedFile {
  readonly name: string;
  readonly stat: BigIntStats;
}

/**
 * The files below `folder` whose name begins with `prefix`, in the order of their names, while others may come and go. Links
 * are passed over: nothing here makes any, and they could lead in a circle. `hidden` is left out at the top.
 */
export async function* walk(
  folder: string,
  prefix: string,
  hidden: string | null,
  signal: AbortSignal,
): AsyncGenerator<WalkedFile> {
  // Of the prefix `a/b/c`: what begins with `c` in the folder `a/b`.
  const at = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  if (hidden !== null && at.startsWith(`${hidden}/`)) return;
  for await (const name of namesIn(folder, at, prefix, at === "" ? hidden : null, signal)) {
    const stat = await statOf(join(folder, name));
    if (stat?.isFile() === true) yield { name, stat };
  }
}

/** `at` is empty, or ends in a slash. */
async function* namesIn(
  folder: string,
  at: string,
  prefix: string,
  hidden: string | null,
  signal: AbortSignal,
): AsyncGenerator<string> {
  signal.throwIfAborted();
  const entries = (await entriesOf(join(folder, at))).filter(({ name }) => name !== hidden);
  // With the slash: the names in the folder `a` come behind `a-b`.
  const names = entries.map((entry) => at + entry.name + (entry.isDirectory() ? "/" : "")).sort(compareKeys);
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    if (name.endsWith("/")) yield* namesIn(folder, name, prefix, null, signal);
    else yield name;
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return [];
    throw error;
  }
}

/** Null where it has gone meanwhile. */
export async function statOf(path: string): Promise<BigIntStats | null> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return null;
    throw error;
  }
}
