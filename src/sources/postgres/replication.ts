import type { Socket } from "node:net";
import type pg from "pg";
import { LogicalReplicationService } from "pg-logical-replication";
// Its index leaves the base class of plugins out.
import { AbstractPlugin } from "pg-logical-replication/dist/output-plugins/abstract.plugin.js";
import { quoteIdentifier } from "../../core/table-schema.ts";
import type { PostgresOptions } from "./config.ts";
import { clientConfig, PIN_TRANSACTION_TIMEOUT, socketOf } from "./connection.ts";
import { formatLsn, parseLsn, pgLsn, type PgLsn } from "./position.ts";
import { quoteLiteral } from "./sql-text.ts";

/** What a replication connection tells its owner, as it comes. */
export interface ReplicationEvents {
  /** A pgoutput message. The bytes are used again by the connection: copy them. */
  message(bytes: Uint8Array): void;
  /** The walsender has sent everything up to `walEnd`; `reply`: it wants to hear from us now. */
  keepalive(walEnd: PgLsn, reply: boolean): void;
  /** It is over: with the connection's or the server's error; null: the server ended it in order. */
  ended(error: unknown): void;
}

/** pgoutput as we ask for it: whole transactions at their commit, values as text. Messages pass undecoded. */
class PgOutputPlugin extends AbstractPlugin<PostgresOptions> {
  readonly #onMessage: (bytes: Uint8Array) => void;
  #client: pg.Client | null = null;

  constructor(options: PostgresOptions, onMessage: (bytes: Uint8Array) => void) {
    super(options);
    this.#onMessage = onMessage;
  }

  get name(): string {
    return "pgoutput";
  }

  get socket(): Socket | null {
    return this.#client === null ? null : socketOf(this.#client);
  }

  override async start(client: pg.Client, slotName: string, lastLsn: string): Promise<unknown> {
    this.#client = client;
    // A transaction of the log is decoded within one of the walsender's.
    await client.query(PIN_TRANSACTION_TIMEOUT);
    const publications = quoteLiteral(quoteIdentifier(this.options.publicationName));
    return await client.query(
      `START_REPLICATION SLOT ${quoteIdentifier(slotName)} LOGICAL ${lastLsn} (proto_version '1', publication_names ${publications})`,
    );
  }

  override parse(message: Buffer): null {
    this.#onMessage(message);
    return null;
  }
}

/** One replication connection, from START_REPLICATION to its end. */
export class Replication {
  readonly #service: LogicalReplicationService;
  readonly #plugin: PgOutputPlugin;
  readonly #events: ReplicationEvents;
  #ended = false;

  constructor(options: PostgresOptions, events: ReplicationEvents) {
    this.#events = events;
    // It decodes in a transaction of its own, and waits for nothing that a limit of ours could be meant for.
    const config = clientConfig(options, { statementTimeoutMs: 0, lockTimeoutMs: 0 });
    // With a timeout the library would acknowledge by itself whatever was received.
    this.#service = new LogicalReplicationService(config, { acknowledge: { auto: false, timeoutSeconds: 0 } });
    this.#plugin = new PgOutputPlugin(options, (bytes) => events.message(bytes));
    this.#service.on("heartbeat", (lsn, _timestamp, reply) => events.keepalive(parseLsn(lsn), reply));
    this.#service.on("error", (error) => this.#end(error));
  }

  /** Asks for the log from `from` on; resolves when the server sends it, or when `ended` was called. */
  start(slotName: string, from: PgLsn): Promise<void> {
    return new Promise((resolve) => {
      this.#service.on("start", () => resolve());
      this.#service.subscribe(this.#plugin, slotName, formatLsn(from)).then(
        () => this.#end(null, resolve),
        (error: unknown) => this.#end(error, resolve),
      );
    });
  }

  #end(error: unknown, then: () => void = () => undefined): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#events.ended(error);
    }
    then();
  }

  pause(): void {
    this.#plugin.socket?.pause();
  }

  resume(): void {
    this.#plugin.socket?.resume();
  }

  /** Tells the server that everything before `durable` is done with; `ping`: and asks it to answer. */
  send(durable: PgLsn, ping: boolean): void {
    // The library adds one to what it is given.
    void this.#service.acknowledge(formatLsn(pgLsn(durable - 1n)), ping);
  }

  /** Ends the connection behind what was sent on it; resolves when the server can give the slot to others. */
  async close(): Promise<void> {
    this.#ended = true;
    const socket = this.#plugin.socket;
    if (socket !== null && !socket.closed) {
      const closed = new Promise<void>((resolve) => {
        socket.once("close", () => resolve());
      });
      socket.destroySoon();
      await closed;
    }
    await this.#service.destroy();
  }
}
