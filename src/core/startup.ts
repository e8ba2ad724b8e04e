/**
 * Where a pipeline begins of which nothing was committed yet (design §7): what its first record is made of, and nothing
 * else; a run that goes on from a record does not look at it. `initial` and `snapshot` read the tables, `snapshot` up to
 * the moment when they are complete; all others deliver the log alone, from the place that they name. `offset` is in
 * bytes, `ms` since 1970.
 */
export type Startup =
  | { readonly kind: "initial" | "snapshot" | "latest" | "earliest" }
  | { readonly kind: "timestamp"; readonly ms: number }
  | { readonly kind: "file"; readonly file: string; readonly offset: number }
  | { readonly kind: "gtids"; readonly gtids: string };

/** Whether tables are read, and not only followed. */
export function readsTables({ kind }: Startup): boolean {
  return kind === "initial" || kind === "snapshot";
}
