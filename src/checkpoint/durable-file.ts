import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { FailpointHook } from "../core/ambient.ts";
import { fileFailure } from "./file-failure.ts";

/** Ends the names of files that are still being written. Nobody ever reads one; a start deletes those of a crash. */
export const UNFINISHED = ".tmp";

/**
 * Puts a file in place so that after a crash at any moment it is there as a whole or not at all: write, fsync, rename,
 * fsync the folder. Durable when it resolves. A failure leaves the old file of that name, if any.
 */
export async function writeDurably(
  folder: string,
  name: string,
  content: Uint8Array,
  failpoint: FailpointHook,
): Promise<void> {
  const path = join(folder, name);
  const unfinished = path + UNFINISHED;
  try {
    await writeSynced(unfinished, content);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw fileFailure(error, path);
  }
  failpoint("checkpoint.file-written");
  try {
    await rename(unfinished, path);
  } catch (error) {
    throw fileFailure(error, path);
  }
  failpoint("checkpoint.file-renamed");
  await syncFolder(folder);
}

/** Writes and fsyncs, without care for what was there. */
export async function writeSynced(path: string, content: Uint8Array | string): Promise<void> {
  await using file = await open(path, "w");
  await file.writeFile(content);
  await file.sync();
}

/** Makes renames and removals inside a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, "r");
    await handle.sync();
  } catch (error) {
    throw fileFailure(error, folder);
  }
}

/** The folder with all above it, durable where it had to be made. */
export async function makeFolder(folder: string): Promise<void> {
  const path = resolve(folder);
  try {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return;
    for (let made = path; made.length >= first.length && made !== dirname(made); made = dirname(made))
      await syncFolder(dirname(made));
  } catch (error) {
    throw fileFailure(error, path);
  }
}
