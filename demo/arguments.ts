import { parseArgs } from "node:util";
import type { Destination } from "./destination.ts";
import { LAKE } from "./lake.ts";
import { WAREHOUSE } from "./warehouse.ts";

const DESTINATIONS: ReadonlyMap<string, Destination> = new Map([
  ["duckdb", WAREHOUSE],
  ["parquet", LAKE],
]);

/** By the option `--sink`; what else stands in the arguments comes back. Throws where it is not understood. */
export function chosenDestination(args: readonly string[]): {
  readonly destination: Destination;
  readonly others: readonly string[];
} {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { sink: { type: "string", default: "duckdb" } },
    allowPositionals: true,
  });
  const destination = DESTINATIONS.get(values.sink);
  if (destination !== undefined) return { destination, others: positionals };
  const known = [...DESTINATIONS.keys()].map((name) => `--sink ${name}`).join(" and ");
  throw new Error(`It knows no sink "${values.sink}"; there are ${known}.`);
}
