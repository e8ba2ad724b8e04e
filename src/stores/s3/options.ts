/** S3's own least size of a part that is not the last. */
export const PART_BYTES_MIN: number = 5 << 20;

/** Where an S3-compatible store is, and how it is spoken to. */
export interface S3Options {
  readonly bucket: string;
  /** Before every key: `lake/shop/`, or empty. Ends in a slash where it is not empty. */
  readonly prefix: string;
  /** Null: AWS's own, of the region. */
  readonly endpoint: string | null;
  /** Null: where the AWS client looks for one; with an endpoint of one's own, where the name rarely matters, `us-east-1`. */
  readonly region: string | null;
  /** The bucket in the path instead of the host's name: what most servers that are not AWS's need. */
  readonly pathStyle: boolean;
  /** Null: where the AWS client looks for some, which are renewed before and when they expire. */
  readonly credentials: S3Credentials | null;
  /** Of each part of a staged object but the last; at least `PART_BYTES_MIN`. */
  readonly partBytes: number;
  /** Parts under way at a time, of all staged objects together. */
  readonly parallelUploads: number;
  /** Of a connection to come about. */
  readonly connectTimeoutMs: number;
  /**
   * Of silence in a request: nothing handed to the kernel, nothing received. A slow one may take longer; but the kernel takes over
   * the last few megabytes at once, so it must be longer than a slow line needs for those, and a server to complete an upload.
   */
  readonly requestTimeoutMs: number;
  /** Of one request, the first included. */
  readonly attemptsMax: number;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}
