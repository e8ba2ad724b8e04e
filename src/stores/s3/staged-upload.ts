import { z } from "zod";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";

/** One part that the server has: its ETag, and its CRC32 where the server has told one. */
export type UploadedPart = readonly [etag: string, crc32: string | null];

/** What a multipart upload that is whole needs to be completed: what `Committable.staged` holds of S3. */
export interface StagedUpload {
  readonly id: string;
  readonly parts: readonly UploadedPart[];
}

const schema = z.object({
  kind: z.literal("upload"),
  id: z.string(),
  parts: z.array(z.tuple([z.string(), z.string().nullable()])),
});

export function stagedJson({ id, parts }: StagedUpload): Json {
  return { kind: "upload", id, parts };
}

export function parseStaged(key: string, staged: Json): StagedUpload {
  const { success, data } = schema.safeParse(staged);
  if (!success) throw new MillraceError("INTERNAL", `what was staged for ${key} is no upload of this store`);
  return data;
}

/** The id of an upload that somebody has left. */
export function parseLeftover(key: string, staged: Json): string {
  const { success, data } = schema.pick({ kind: true, id: true }).safeParse(staged);
  if (!success) throw new MillraceError("INTERNAL", `what is left of ${key} is no upload of this store`);
  return data.id;
}
