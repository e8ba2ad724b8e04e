/** What a `Lazy` keeps: of no further use once it is `broken`. */
export interface Breakable extends AsyncDisposable {
  readonly broken: boolean;
}

/**
 * A connection, or the like, that is made when it is first needed, and made again after it broke. Those that are stopped
 * apart from each other use different ones.
 */
export class Lazy<T extends Breakable> implements AsyncDisposable {
  readonly #open: (signal: AbortSignal) => Promise<T>;
  #made: Promise<T> | null = null;

  constructor(open: (signal: AbortSignal) => Promise<T>) {
    this.#open = open;
  }

  get(signal: AbortSignal): Promise<T> {
    // Whoever asks at the same time waits for this one: two would be opened, and one of them closed by nobody.
    this.#made = this.#next(this.#made, signal);
    return this.#made;
  }

  async #next(before: Promise<T> | null, signal: AbortSignal): Promise<T> {
    const current = await before?.catch(() => null);
    if (current !== undefined && current !== null && !current.broken) return current;
    return await this.#open(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const made = await this.#made?.catch(() => null);
    this.#made = null;
    await made?.[Symbol.asyncDispose]();
  }
}
