/** `work`, or the signal's reason as soon as it is aborted; `cut` then ends what would go on. */
export async function abortable<T>(signal: AbortSignal, work: Promise<T>, cut: () => void): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined);
    cut();
    throw signal.reason as Error;
  }
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = (): void => {
      cut();
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
