import { MillraceError } from "../../core/errors.ts";
import { isKey } from "../object-key.ts";
import type { ObjectInfo } from "../object-store.ts";
import type { Bucket } from "./bucket.ts";
import { noS3 } from "./refusal.ts";
import type { S3Session } from "./session.ts";

/** S3's own limit of a page. */
const PAGE = 1000;

export interface Listing {
  readonly session: S3Session;
  readonly bucket: Bucket;
}

/** In the order of the keys' UTF-8 bytes: the server's. */
export async function* listObjects(
  { session, bucket }: Listing,
  prefix: string,
  signal: AbortSignal,
  page: number = PAGE,
): AsyncGenerator<ObjectInfo> {
  const place = bucket.placeOf(prefix);
  let token: string | undefined;
  do {
    const input = { Bucket: bucket.name, Prefix: bucket.prefix + prefix, MaxKeys: page };
    const next = token === undefined ? {} : { ContinuationToken: token };
    const { Contents, IsTruncated, NextContinuationToken } = await session.output(
      { doing: "list", place, call: (s3, options) => s3.listObjectsV2({ ...input, ...next }, options) },
      signal,
    );
    for (const { Key, Size, ETag } of Contents ?? []) {
      const key = bucket.keyOf(Key ?? "");
      if (!isKey(key)) continue;
      if (Size === undefined || ETag === undefined) throw noS3(place);
      yield { key, bytes: Size, tag: ETag };
    }
    token = following(IsTruncated, NextContinuationToken, token, place);
  } while (token !== undefined);
}

export interface ListedUpload {
  readonly key: string;
  readonly id: string;
}

/**
 * Multipart uploads that are neither completed nor aborted, in pages of the server's own size: some refuse to be told
 * another.
 */
export async function* listUploads(
  { session, bucket }: Listing,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ListedUpload> {
  const place = bucket.placeOf(prefix);
  let marker: { readonly KeyMarker: string; readonly UploadIdMarker: string } | undefined;
  do {
    const input = { Bucket: bucket.name, Prefix: bucket.prefix + prefix, ...marker };
    const { Uploads, IsTruncated, NextKeyMarker, NextUploadIdMarker } = await session.output(
      { doing: "list the uploads under", place, call: (s3, options) => s3.listMultipartUploads(input, options) },
      signal,
    );
    for (const { Key, UploadId } of Uploads ?? []) {
      const key = bucket.keyOf(Key ?? "");
      if (!isKey(key)) continue;
      if (UploadId === undefined) throw noS3(place);
      yield { key, id: UploadId };
    }
    const before = marker && `${marker.KeyMarker}\n${marker.UploadIdMarker}`;
    const next = following(
      IsTruncated,
      NextKeyMarker && `${NextKeyMarker}\n${NextUploadIdMarker ?? ""}`,
      before,
      place,
    );
    marker = next === undefined ? undefined : { KeyMarker: NextKeyMarker!, UploadIdMarker: NextUploadIdMarker ?? "" };
  } while (marker !== undefined);
}

/** Where the next page begins. One that begins where the last one did would go on for ever. */
function following(
  isTruncated: boolean | undefined,
  next: string | undefined,
  before: string | undefined,
  place: string,
): string | undefined {
  if (isTruncated !== true) return undefined;
  if (next !== undefined && next !== "" && next !== before) return next;
  throw new MillraceError("STORE_FAILED", `the listing of ${place} does not go on behind a full page`);
}
