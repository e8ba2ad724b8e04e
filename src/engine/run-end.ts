import type { ErrorCode } from "../core/error-codes.ts";
import { MillraceError } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import type { TableId } from "../core/table-schema.ts";
import type { RunRequest } from "./parts.ts";
import type { Session } from "./session.ts";

export interface StoppedTable {
  readonly table: TableId;
  readonly code: ErrorCode;
  readonly message: string;
}

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
    if (states.every((kind) => kind === "stopped")) throw this.#allStopped();
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
    const stoppedTables: StoppedTable[] = [];
    for (const [table, { state }] of this.#session.epochs.tables)
      if (state.kind === "stopped") stoppedTables.push({ table, code: state.code, message: state.message });
    return { kind, stoppedTables };
  }

  #allStopped(): MillraceError {
    const names = this.#outcome("stopped").stoppedTables.map(({ table, code }) => `${table} (${code})`);
    return new MillraceError("ALL_TABLES_STOPPED", `every table of the pipeline has stopped: ${names.join(", ")}`);
  }
}
