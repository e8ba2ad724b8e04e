import { MillraceError } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import type { RunRequest } from "./parts.ts";
import type { RunOutcome } from "./run-outcome.ts";
import type { Session } from "./session.ts";
import { allTablesStopped, stoppedTables } from "./stopped-tables.ts";

const NUDGE_AFTER_MS = 1000;

/** Decides, at each transaction boundary, whether the run is over. */
export class RunEnd {
  readonly #request: RunRequest;
  readonly #session: Session;
  /** The source's position as it was when the last snapshot was done. */
  #target: Position | null = null;
  /** As it was later: what has gone from it meanwhile (a GTID that was given up) will never come. */
  #laterTarget: Position | null = null;
  #waitingSinceMs = 0;

  constructor(request: RunRequest, session: Session) {
    this.#request = request;
    this.#session = session;
  }

  /** The open epoch is to be finished now, whatever its age. */
  get asked(): boolean {
    if (this.#request.stop.aborted || this.#snapshotDone || this.#session.epochs.allStopped) return true;
    return this.#targetPassed;
  }

  /** Called after the epoch was committed where it was due. Null: the run goes on. */
  async reached(signal: AbortSignal): Promise<RunOutcome | null> {
    if (this.#request.stop.aborted) return this.#outcome("stopped");
    const { tables, allRead, allStopped, hasContent } = this.#session.epochs;
    if (this.#snapshotDone) return hasContent ? null : this.#outcome("snapshot-done");
    if (this.#request.until === "caught-up" && allRead) return await this.#caughtUp(signal);
    if (allStopped && !hasContent) throw allTablesStopped(stoppedTables(tables));
    return null;
  }

  /** The last chunk has entered, at a boundary behind all that the others may contain: the sink has one moment's state. */
  get #snapshotDone(): boolean {
    return this.#session.snapshotOnly && this.#session.epochs.allRead;
  }

  logEnded(): MillraceError {
    return new MillraceError("INTERNAL", "the log reader ended although nobody asked it to");
  }

  async #caughtUp(signal: AbortSignal): Promise<RunOutcome | null> {
    const { connectors, epochs, log } = this.#session;
    const nowMs = this.#request.ambient.clock.monotonicMs();
    if (this.#target === null) {
      this.#target = await connectors.source.head(signal);
      this.#waitingSinceMs = nowMs;
      log.ping();
    }
    if (this.#targetPassed) return epochs.hasContent ? null : this.#outcome("caught-up");
    if (nowMs - this.#waitingSinceMs >= NUDGE_AFTER_MS) {
      this.#laterTarget = await connectors.source.head(signal);
      await log.nudge(signal);
      this.#waitingSinceMs = nowMs;
    }
    return null;
  }

  get #targetPassed(): boolean {
    const { position } = this.#session.delivery;
    return [this.#target, this.#laterTarget].some((target) => target !== null && position?.covers(target) === true);
  }

  #outcome(kind: RunOutcome["kind"]): RunOutcome {
    return { kind, stoppedTables: stoppedTables(this.#session.epochs.tables) };
  }
}
