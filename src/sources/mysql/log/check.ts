import type { Ambient } from "../../../core/ambient.ts";
import { MillraceError } from "../../../core/errors.ts";
import type { MysqlOptions } from "../config.ts";
import type { LazySession } from "../connection.ts";
import { FilePosition } from "../position/file-position.ts";
import { logHead } from "./head.ts";
import { LogWalk } from "./walk.ts";
import type { LogPosition } from "../position.ts";
import type { ServerFacts } from "../server-facts.ts";
import { behind, LOG_RESET } from "../position/source-behind.ts";

/**
 * Looks now and then whether the log that is being read is still the server's: neither server ends the connection of a
 * reader whose log is reset, and says nothing to it from then on.
 */
export class LogCheck {
  readonly #options: MysqlOptions;
  readonly #facts: ServerFacts;
  readonly #sessions: LazySession;
  readonly #ambient: Ambient;
  #checking = false;
  #checkedMs: number;
  /** Where the reader was at the last look: the server must have that by the next one. */
  #passed: LogPosition;

  constructor(options: MysqlOptions, facts: ServerFacts, sessions: LazySession, ambient: Ambient, from: LogPosition) {
    this.#options = options;
    this.#facts = facts;
    this.#sessions = sessions;
    this.#ambient = ambient;
    this.#passed = from;
    this.#checkedMs = ambient.clock.monotonicMs();
  }

  /** Where it is time to, looks, and tells `lost` why the reader cannot go on. */
  tick(nowMs: number, position: LogPosition, lost: (error: MillraceError) => void, life: AbortSignal): void {
    if (this.#checking || nowMs - this.#checkedMs < this.#options.heartbeatIntervalMs) return;
    this.#checking = true;
    void this.#check(position, life)
      .catch((error: unknown) => {
        if (life.aborted) return;
        if (error instanceof MillraceError && error.code === "SOURCE_BEHIND") return lost(error);
        // The log's own connection says what is wrong with the server, if anything is.
        const code = error instanceof MillraceError ? error.code : "INTERNAL";
        this.#ambient.logger.warn("looking whether the log is still there failed", { code });
      })
      .finally(() => {
        this.#checking = false;
        this.#checkedMs = this.#ambient.clock.monotonicMs();
      });
  }

  async #check(position: LogPosition, life: AbortSignal): Promise<void> {
    const passed = this.#passed;
    const head = await logHead(await this.#sessions.get(life), life);
    if (!head.covers(passed)) throw behind(`its log ends at ${head.toString()}`, passed, LOG_RESET);
    if (passed instanceof FilePosition && passed.begun !== 0) {
      const begun = await new LogWalk(this.#options, this.#facts.flavour).begun(passed.file, life);
      if (begun !== passed.begun)
        throw behind(`its file ${passed.file} is another one of that name`, passed, LOG_RESET);
    }
    this.#passed = position;
  }
}
