import { parseLsn, pgLsn, PgPosition, type PgLsn } from "./position.ts";

/** `XLogLongPHD` and `XLogShortPHD` of the server's xlog_internal.h: what a WAL page begins with, first of its segment or not. */
const LONG_HEADER_BYTES = 40n;
const SHORT_HEADER_BYTES = 24n;

/** The columns of `INSERT_POSITION`. */
export interface WalPlace {
  readonly lsn: string;
  readonly page: string;
  readonly segment: string;
}

/** Where the next WAL record will begin, with the sizes needed to round it. */
export const INSERT_POSITION = `pg_current_wal_insert_lsn()::text AS lsn,
  current_setting('wal_block_size') AS page, pg_size_bytes(current_setting('wal_segment_size'))::text AS segment`;

/**
 * The insert position as a bound of the log. Where the last record ends with its page, the server says the place just
 * behind the next page's header, which the walsender reaches only with the next record; nothing lies in between, so the
 * page's beginning says the same.
 */
export function insertPosition(place: WalPlace): PgPosition {
  const lsn: PgLsn = parseLsn(place.lsn);
  const header = lsn % BigInt(place.segment) === LONG_HEADER_BYTES ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
  return new PgPosition(lsn % BigInt(place.page) === header ? pgLsn(lsn - header) : lsn);
}
