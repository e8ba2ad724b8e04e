import { MillraceError } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import type { RunRequest } from "./parts.ts";
import type { Session } from "./session.ts";
import { allTablesStopped, stoppedTables, type StoppedTable } from "./stopped-tables.ts";

/** How a run ended that did not fail. Tables that have stopped are named: `caught-up` says nothing about them. */
export interface RunOutcome {
  readonly kind: "stopped" | "caught-up";
  readonly stoppedTables: readonly StoppedTable[];
}

const NUDGE_AFTER_MS = 1000;

/** Decides, at each transaction boundary, whether the run is over. */
export class RunEnd {
  readonly #request: RunRequest;
  readonly #session: Session;
  /** The source's position as it was when the last snapshot was done. */
  #target: Position | null = null;
  #waitingSinceMs = 0;

  constructor(request: RunRequest, session: Session) {
    this.#request = request;
    this.#session = session;
  }

  /** The open epoch is to be finished now, whatever its age. */
  get asked(): boolean {
    return this.#request.stop.aborted || (this.#target !== null && this.#passed(this.#target));
  }

  /** Called after the epoch was committed where it was due. Null: the run goes on. */
  async reached(signal: AbortSignal): Promise<RunOutcome | null> {
    if (this.#request.stop.aborted) return this.#outcome("stopped");
    const { tables } = this.#session.epochs;
    const states = [...tables.values()].map((part) => part.state.kind);
    if (this.#request.until === "caught-up" && !states.some((kind) => kind === "planned" || kind === "snapshotting"))
      return await this.#caughtUp(signal);
    if (states.every((kind) => kind === "stopped")) throw allTablesStopped(stoppedTables(tables));
    return null;
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
    if (this.#passed(this.#target)) return epochs.hasContent ? null : this.#outcome("caught-up");
    if (nowMs - this.#waitingSinceMs >= NUDGE_AFTER_MS) {
      await log.nudge(signal);
      this.#waitingSinceMs = nowMs;
    }
    return null;
  }

  #passed(target: Position): boolean {
    return this.#session.delivery.position?.covers(target) ?? false;
  }

  #outcome(kind: RunOutcome["kind"]): RunOutcome {
    return { kind, stoppedTables: stoppedTables(this.#session.epochs.tables) };
  }
}
