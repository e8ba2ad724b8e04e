/**
 * Where the GTID event of a transaction begins, in the files of the server that is read. A transaction keeps the two by
 * themselves: its own object is all that this costs.
 */
export interface LoggedAt {
  /** Empty: not known. */
  readonly file: string;
  readonly start: number;
}

export const NOWHERE: LoggedAt = { file: "", start: 0 };

/** `binlog.000012:4711`, as both servers' clients name it; empty where it is not known. */
export function placeText({ file, start }: LoggedAt): string {
  return file === "" ? "" : `${file}:${start}`;
}
