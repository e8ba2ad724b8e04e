/** What the bench asks of a child process that runs a pipeline. */
export interface EngineRequest {
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  /** Null: until the parent says `stop`. */
  readonly until: "caught-up" | null;
}

/** An epoch that became visible. */
export interface CommittedEpoch {
  readonly position: string;
  readonly rows: number;
  /** By the machine's clock, as the sink's commit had returned. */
  readonly atMs: number;
}

export interface EngineReport {
  readonly kind: "report";
  readonly rows: number;
  /** From the first chunk's beginning (without a snapshot: from the log's opening) to the commit of the last row. */
  readonly seconds: number;
  /** Of the whole process, all threads, in those seconds. */
  readonly cpuSeconds: number;
  /** Of the process's whole life. */
  readonly rssBytesMax: number;
}

/** What the child sends. */
export type EngineMessage =
  | EngineReport
  /** A table's snapshot is complete, and its changes flow. */
  | { readonly kind: "streaming" }
  | { readonly kind: "committed"; readonly epoch: CommittedEpoch }
  | { readonly kind: "failed"; readonly message: string };
