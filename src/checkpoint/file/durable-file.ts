import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { FailpointHook } from "../../core/ambient.ts";
import { syncPath, writeSynced } from "../../flow/durable-file.ts";
import { fileFailure } from "./failure.ts";

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
  try {
    await syncPath(folder);
  } catch (error) {
    throw fileFailure(error, folder);
  }
}
