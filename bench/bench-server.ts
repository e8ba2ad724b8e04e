/** The database of every bench's server. */
export const BENCH_DATABASE = "bench";

/** An interrupted bench leaves no server behind; the pipeline under way ends by itself when this process has ended. */
export function endWithUs(server: AsyncDisposable): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => void endWith(server));
}

async function endWith(server: AsyncDisposable): Promise<void> {
  try {
    await server[Symbol.asyncDispose]();
  } finally {
    process.exit(130);
  }
}
