/** When the engine may try again by itself: after a pause, after somebody acted, or not at all. */
export type Retry = "timed" | "manual" | "never";

export interface ErrorCodeInfo {
  /** Process exit code: 1 failed, 2 bad usage or configuration, 3 source or sink refused. */
  readonly exit: 1 | 2 | 3;
  readonly retry: Retry;
  /** What it means, for an operator, and whether it is normal. */
  readonly meaning: string;
  /** What to do; the hint where the place that raises it knows nothing better. */
  readonly action: string;
}
