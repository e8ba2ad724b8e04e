import type { Ambient } from "../core/ambient.ts";

/** So soon is a run that has nothing to put told that it was taken over from: before its source gives up waiting for it. */
const LOOK_MS = 2_000;

/**
 * Asks in the background, until it is closed, whether the store is still this process' own. What fails is asked again: the
 * token decides, and this tells sooner.
 */
export class HolderWatch implements AsyncDisposable {
  readonly #ended = new AbortController();
  readonly #asking: Promise<void>;

  /** `takenOver` is called once. */
  constructor(ambient: Ambient, isHeld: (signal: AbortSignal) => Promise<boolean>, takenOver: () => void) {
    this.#asking = this.#ask(ambient, isHeld, takenOver);
  }

  async #ask(
    { clock, logger }: Ambient,
    isHeld: (signal: AbortSignal) => Promise<boolean>,
    takenOver: () => void,
  ): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      try {
        await clock.sleep(LOOK_MS, signal);
        if (await isHeld(signal)) continue;
      } catch (error) {
        if (!signal.aborted) logger.debug("it is not known who has the checkpoint", { reason: String(error) });
        continue;
      }
      if (!signal.aborted) takenOver();
      return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort(new Error("the checkpoint store is closed"));
    await this.#asking;
  }
}
