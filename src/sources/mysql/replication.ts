import { MillraceError } from "../../core/errors.ts";
import type { MysqlOptions } from "./config.ts";
import { Session } from "./connection.ts";
import type { Dump } from "./log/dump-command.ts";
import { LargeEvent, type LargeEventQueue } from "./binlog/large-event.ts";
import { PacketStream, type PacketSink } from "./packet-stream.ts";
import { statementError } from "./server-error.ts";

/** What a replication connection tells its owner, as it comes. */
export interface ReplicationEvents extends LargeEventQueue {
  /** A binlog event, header to checksum. The bytes are used again by the connection: copy them. */
  event(bytes: Uint8Array): void;
  /** It is over: with the connection's or the server's error; null: the server ended it in order. */
  ended(error: unknown): void;
}

/** First byte of each packet of a dump. */
const OK = 0x00;
/** One replication connection, from the dump command to its end. */
export class Replication {
  readonly #options: MysqlOptions;
  readonly #events: ReplicationEvents;
  #session: Session | null = null;
  #ended = false;
  #paused = false;
  #resume: () => void = () => undefined;

  constructor(options: MysqlOptions, events: ReplicationEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Asks for the log; resolves when that was sent. */
  async start({ preamble, command, from }: Dump, signal: AbortSignal): Promise<void> {
    const limits = { statementTimeoutMs: 0, lockTimeoutMs: this.#options.lockTimeoutMs };
    const session = await Session.open(this.#options, limits, signal);
    this.#session = session;
    await session.query(preamble, [], signal);
    const done = PacketStream.run(session.connection, Buffer.from(command), this.#sink());
    done.then(
      () => this.#end(null),
      (error: unknown) => this.#end(error instanceof MillraceError ? error : dumpError(this.#options, from, error)),
    );
  }

  #sink(): PacketSink {
    let large: LargeEvent | null = null;
    return {
      packet: (bytes, start, end) => {
        if (bytes[start] !== OK) return true;
        this.#events.event(bytes.subarray(start + 1, end));
        return false;
      },
      part: (bytes, start, end, last) => {
        large ??= new LargeEvent(this.#events);
        large.add(bytes, start, end);
        if (!last) return;
        large.end();
        large = null;
      },
      release: () => undefined,
      afterPiece: () => (this.#paused ? new Promise((resolve) => (this.#resume = resolve)) : null),
    };
  }

  #end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.ended(error);
  }

  /** No more is read from the socket behind the piece that is being handed over. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#resume();
  }

  async close(): Promise<void> {
    this.#ended = true;
    this.#session?.destroy();
  }
}

/**
 * `ER_SOURCE_FATAL_ERROR_READING_BINLOG`, and what stands in its message: there is no finer number, but MariaDB's
 * `ER_SLAVE_SAME_ID`.
 */
const FATAL_READING_BINLOG: ReadonlySet<unknown> = new Set([1236, 4052]);
const LOST = /purged|could not find (first log file|next log|gtid state|binlog)|not found in .*binlog/i;
const SAME_REPLICA = /same server_?(uuid|id)/i;
const DIVERGED =
  /(more|not in the master's) gtids?|not in the master's binlog|has diverged|position > file size|impossible position/i;

const WITHOUT_GTID = /anonymous transaction/i;

function dumpError(options: MysqlOptions, from: string, error: unknown): MillraceError {
  const known = statementError(options, error);
  if (!FATAL_READING_BINLOG.has((error as { errno?: unknown } | null)?.errno)) return known;
  const place = { position: from };
  if (SAME_REPLICA.test(known.message))
    return new MillraceError(
      "SERVER_ID_IN_USE",
      `another replica of the server calls itself ${options.serverId} (server-id), and the server has ended ours`,
      { place },
    );
  if (WITHOUT_GTID.test(known.message))
    return new MillraceError(
      "GTIDS_CHANGED",
      `the log from ${from} on has transactions without GTIDs: ${known.message}`,
      {
        hint: "They are from before GTIDs were switched on. Begin behind them, or with a snapshot (`scan.startup.mode`), after `millrace drop FILE` where the pipeline was begun.",
        place,
      },
    );
  if (DIVERGED.test(known.message))
    return new MillraceError("SOURCE_BEHIND", `the log does not have what was delivered already: ${known.message}`, {
      place,
    });
  if (LOST.test(known.message))
    return new MillraceError("LOG_LOST", `the log cannot be read on from ${from}: ${known.message}`, {
      place,
    });
  return known;
}
