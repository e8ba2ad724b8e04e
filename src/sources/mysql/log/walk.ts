import { MillraceError } from "../../../core/errors.ts";
import { abortable } from "../../../flow/abortable.ts";
import { checkedEnd, checkLength, EventType, NO_REST } from "../binlog/event.ts";
import { readUint32 } from "../binlog/fields.ts";
import { BinlogFormat } from "../binlog/format.ts";
import { GTID_READERS, type LogTransaction } from "../binlog/gtid.ts";
import type { MysqlOptions } from "../config.ts";
import { dumpFile } from "./dump-command.ts";
import { LogPlace } from "../binlog/log-place.ts";
import type { Flavour } from "../position.ts";
import { Replication } from "../replication.ts";

/** A transaction of the log, with the place where it begins. */
export interface WalkedTransaction {
  /** Without GTIDs it has no name in it. */
  readonly transaction: LogTransaction;
  readonly file: string;
  readonly offset: number;
}

/** Looks at what the log has, before it is read for good. */
export class LogWalk {
  readonly #options: MysqlOptions;
  readonly #flavour: Flavour;

  constructor(options: MysqlOptions, flavour: Flavour) {
    this.#options = options;
    this.#flavour = flavour;
  }

  /** When a file was begun, in seconds since 1970. LOG_LOST: the server does not have it. */
  async begun(file: string, signal: AbortSignal): Promise<number> {
    const seconds: number[] = [];
    await this.#events(
      file,
      (b) => {
        if (b[4] === EventType.formatDescription) seconds.push(readUint32(b, 0));
        return seconds.length === 0;
      },
      signal,
    );
    const [begun] = seconds;
    if (begun === undefined) throw notUnderstood(file, "no beginning");
    return begun;
  }

  /** The transactions from a file's beginning on, until `see` says false or the log ends. */
  async transactions(
    file: string,
    see: (transaction: WalkedTransaction) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const place = new LogPlace();
    const broken = (what: string): MillraceError => notUnderstood(`${place.file}:${place.offset}`, what);
    let format: BinlogFormat | null = null;
    await this.#events(
      file,
      (b, rest) => {
        checkLength(b, 0, b.length, rest, broken);
        place.see(b, 0, b.length);
        if (b[4] === EventType.formatDescription) format = BinlogFormat.read(b, 0, b.length, broken);
        const read = GTID_READERS.get(b[4]!);
        if (read === undefined) return true;
        const end = format?.checksums === true ? checkedEnd(b, 0, b.length, rest, broken) : b.length;
        return see({
          transaction: read(b, 0, end, place.logged, broken).transaction,
          file: place.file,
          offset: place.start,
        });
      },
      signal,
    );
  }

  async #events(
    file: string,
    see: (event: Uint8Array, rest: Uint8Array[]) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    let finish: (error: unknown) => void = () => undefined;
    const ended = new Promise<void>((resolve, reject) => {
      finish = (error): void => (error === null ? resolve() : reject(error));
    });
    // Where it cannot be begun nobody waits for its end.
    ended.catch(() => undefined);
    let enough = false;
    const event = (bytes: Uint8Array, rest: Uint8Array[] = NO_REST): void => {
      if (enough || see(bytes, rest)) return;
      enough = true;
      finish(null);
    };
    let large = new Uint8Array(0);
    const replication = new Replication(this.#options, {
      event,
      begin: (length) => (large = new Uint8Array(length)),
      begun: (rest) => event(large, rest),
      ended: finish,
    });
    try {
      await replication.start(dumpFile(this.#options, this.#flavour, file), signal);
      await abortable(signal, ended, () => undefined);
    } finally {
      await replication.close();
    }
  }
}

function notUnderstood(place: string, what: string): MillraceError {
  return new MillraceError("LOG_NOT_UNDERSTOOD", `the log has ${what}, at ${place}`, { place: { position: place } });
}
