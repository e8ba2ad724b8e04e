import { EXIT_INTERRUPTED, EXIT_TERMINATED } from "./exit-code.ts";
import type { StopSignal, Surroundings } from "./surroundings.ts";

/**
 * The first SIGINT or SIGTERM aborts `stop`, and whoever waits on it ends in good order; a second one ends the process at
 * once. Both lose nothing: what was not committed was not acknowledged.
 */
export class StopSignals implements Disposable {
  readonly #stop = new AbortController();
  readonly #listening: Disposable;
  #first: StopSignal | null = null;

  /** `atOnce` is called before the process is ended by a second signal: to leave the terminal as it was. */
  constructor(surroundings: Surroundings, atOnce: () => void = () => undefined) {
    this.#listening = surroundings.onStopSignal((signal) => {
      if (this.#first === null) {
        this.#first = signal;
        this.#stop.abort("stop");
        return;
      }
      atOnce();
      surroundings.exitNow(signalExitCode(signal));
    });
  }

  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** The signal that asked for the end; null: none did. */
  get received(): StopSignal | null {
    return this.#first;
  }

  /** The exit code of `work`, or of the signal that it was ended by: what it then failed with is no news. */
  async exitCodeOf(work: Promise<number>): Promise<number> {
    try {
      return await work;
    } catch (error) {
      if (this.#first === null) throw error;
      return signalExitCode(this.#first);
    }
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }
}

function signalExitCode(signal: StopSignal): number {
  return signal === "SIGINT" ? EXIT_INTERRUPTED : EXIT_TERMINATED;
}
