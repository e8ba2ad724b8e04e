import type { DuckDBConnection } from "@duckdb/node-api";

/** Where the demo's rows go, and what of its story differs by that. */
export interface Destination {
  /** In the demo's title, and over the verdict's columns. */
  readonly title: string;
  readonly label: string;
  readonly noun: string;
  /** A file of demo/. */
  readonly pipelineFile: string;
  /** Below config/, for a database of the reader's own. */
  readonly example: string;
  /** What a run leaves in demo/. */
  readonly leaves: readonly string[];
  /** For `demo/query.ts`. */
  readonly question: string;
  /** A DuckDB file in which each of the shop's tables can be read, while no pipeline runs. */
  readable(): Promise<string>;
  /** Says what a killed pipeline has left behind, where there is something to say. */
  tellKilled(): Promise<void>;
  /** How much it holds, and where. */
  size(): Promise<string>;
  /** Shows what it has beside the tables' rows; false where something is not as it should be. */
  tellMore(warehouse: DuckDBConnection): Promise<boolean>;
}
