/** Exit codes of every command; `--help` and docs/operating.md name them. Those of errors stand in the error table. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_REFUSED = 3;
export const EXIT_INTERRUPTED = 130;
export const EXIT_TERMINATED = 143;
