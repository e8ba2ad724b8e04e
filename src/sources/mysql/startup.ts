import { assertNever, MillraceError } from "../../core/errors.ts";
import type { Startup } from "../../core/startup.ts";
import type { MysqlOptions } from "./config.ts";
import type { Session } from "./connection.ts";
import { FilePosition } from "./position/file-position.ts";
import { LogFiles } from "./log/files.ts";
import { LogWalk, type WalkedTransaction } from "./log/walk.ts";
import type { LogPosition } from "./position.ts";
import { type ServerFacts, usesGtids } from "./server-facts.ts";
import { startPosition, type StartOptions } from "./log/start-position.ts";
import { parseGtids } from "./position/startup-gtids.ts";
import { visibleCut } from "./log/visible.ts";

/** The place in the log where a pipeline begins of which nothing was committed yet, and what it takes to find it. */
export class StartPlace {
  readonly #facts: ServerFacts;
  readonly #start: StartOptions;
  readonly #session: Session;
  readonly #files: LogFiles;
  readonly #walk: LogWalk;

  constructor(options: MysqlOptions, facts: ServerFacts, start: StartOptions) {
    const { session } = start;
    this.#facts = facts;
    this.#start = start;
    this.#session = session;
    this.#walk = new LogWalk(options, facts.flavour);
    this.#files = new LogFiles(facts, session, this.#walk);
  }

  /** Its first transaction is the first one that the position does not have. */
  async position(startup: Startup): Promise<LogPosition> {
    const { signal } = this.#start;
    switch (startup.kind) {
      case "initial":
      case "snapshot":
      case "latest":
        return await startPosition(this.#start, () => this.#visible(signal));
      case "earliest":
        return await this.#oldest(signal);
      case "gtids":
        return await this.#gtids(startup.gtids, signal);
      case "file":
        return await this.#file(startup.file, startup.offset, signal);
      case "timestamp":
        return await this.#timestamp(startup.ms, signal);
      default:
        return assertNever(startup);
    }
  }

  /** A chunk that is opened at once may lack what is in the log and not visible yet, so the log must bring it. */
  async #visible(signal: AbortSignal): Promise<LogPosition> {
    const { included, bound } = await visibleCut(this.#session, signal);
    // Without GTIDs, chunks wait until all of it is visible (`MysqlSource.settled`).
    if (bound instanceof FilePosition)
      return FilePosition.at(bound.server, bound.file, bound.offset, await this.#walk.begun(bound.file, signal));
    if (included === null) throw new MillraceError("INTERNAL", "what is visible is not known");
    return included;
  }

  async #oldest(signal: AbortSignal): Promise<LogPosition> {
    const [oldest] = await this.#files.list(signal);
    return await this.#files.beginning(oldest!.name, signal);
  }

  async #gtids(text: string, signal: AbortSignal): Promise<LogPosition> {
    const position = parseGtids(text);
    const oldest = await this.#oldest(signal);
    if (position === null || position.constructor !== oldest.constructor)
      throw notInLog(`${text} is no set of GTIDs as this server has them`);
    if (!position.covers(oldest))
      throw notInLog(
        `transactions that ${text} does not have were purged`,
        `The oldest place to begin at is ${oldest.toString()}, where \`earliest-offset\` begins.`,
      );
    if (!(await visibleCut(this.#session, signal)).bound.covers(position))
      throw notInLog(`it does not have all of ${text} yet`);
    return position;
  }

  async #file(name: string, offset: number, signal: AbortSignal): Promise<LogPosition> {
    const files = await this.#files.list(signal);
    const file = files.find((each) => each.name === name);
    const there = `The server's binlog files are ${files.at(0)!.name} to ${files.at(-1)!.name}.`;
    if (file === undefined) throw notInLog(`there is no file ${name}`, there);
    if (!(await this.#files.hasBoundary(file, offset, signal)))
      throw notInLog(
        `no transaction begins at offset ${offset} of ${name}`,
        `\`SHOW BINLOG EVENTS IN '${name}'\` lists the offsets (\`Pos\`); a transaction begins at its Gtid event.`,
      );
    if (!usesGtids(this.#facts))
      return FilePosition.at(this.#facts.uuid, name, offset, await this.#walk.begun(name, signal));
    return await this.#behind(name, (walked) => walked.file !== name || walked.offset >= offset, signal);
  }

  /** Files are begun in the order of time, so that few of them have to be looked at, and one to be read. */
  async #timestamp(ms: number, signal: AbortSignal): Promise<LogPosition> {
    const [row] = await this.#session.query<{ ms: string }>(
      "SELECT ROUND(UNIX_TIMESTAMP(NOW(3)) * 1000) AS ms",
      [],
      signal,
    );
    if (ms > Number(row!.ms)) throw notInLog(`${timeText(ms)} is still to come, by the server's clock`);
    const files = await this.#files.list(signal);
    const begunMs = async (place: number): Promise<number> =>
      (await this.#walk.begun(files[place]!.name, signal)) * 1000;
    const oldestMs = await begunMs(0);
    if (oldestMs + SECOND_MS > ms)
      throw notInLog(
        `its oldest file was begun at ${timeText(oldestMs)}, which is not surely before ${timeText(ms)}`,
        "With `scan.startup.mode: earliest-offset` the pipeline begins with the oldest file.",
      );
    let low = 0;
    for (let high = files.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if ((await begunMs(middle)) + SECOND_MS <= ms) low = middle;
      else high = middle;
    }
    return await this.#behind(files[low]!.name, ({ transaction }) => transaction.commitTimeMs >= ms, signal);
  }

  /** All that is in the log before the first transaction, from a file on, that is `reached`. */
  async #behind(
    file: string,
    reached: (walked: WalkedTransaction) => boolean,
    signal: AbortSignal,
  ): Promise<LogPosition> {
    let position = await this.#files.beginning(file, signal);
    await this.#walk.transactions(
      file,
      (walked) => {
        if (reached(walked)) return false;
        position = this.#files.behind(position, walked);
        return true;
      },
      signal,
    );
    return position;
  }
}

/** A file's beginning is known to the second. */
const SECOND_MS = 1000;

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function notInLog(why: string, hint?: string): MillraceError {
  const options = hint === undefined ? {} : { hint };
  return new MillraceError(
    "START_NOT_IN_LOG",
    `the server's log cannot be read from the start asked for: ${why}`,
    options,
  );
}
