import { open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { MillraceError } from "../core/errors.ts";
import { FILE_BYTES_MAX } from "./document.ts";
import { parsePipeline } from "./parse.ts";
import type { PipelineSpec } from "./spec.ts";
import type { Environment } from "./substitution.ts";

/** Reads and validates a pipeline file. Relative paths in it are relative to its own folder, wherever it is run from. */
export async function loadPipeline(file: string, environment: Environment): Promise<PipelineSpec> {
  const text = await readBounded(file);
  return parsePipeline(text, { file, folder: dirname(resolve(file)), environment });
}

/** The file's text, or one byte more than may be, which the parser refuses: a device or a huge file is not read to its end. */
async function readBounded(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const buffer = Buffer.alloc(FILE_BYTES_MAX + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, length));
  } catch (error) {
    throw new MillraceError("CONFIG_INVALID", `the pipeline file cannot be read: ${reason(error)}`, {
      place: { file },
      hint: "Give the path of a pipeline file; config/postgres-to-duckdb.yaml is one to begin with.",
      cause: error,
    });
  }
}

function reason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "no permission";
  if (code === "EISDIR") return "it is a folder";
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return "it is not UTF-8 text";
  return typeof code === "string" ? code : "reading it failed";
}
