import type { Socket } from "node:net";
import type pg from "pg";
import { takePieces } from "../../flow/bulk-socket.ts";

/** First bytes of backend messages (PostgreSQL's protocol, *Message Formats*). */
const COPY_DATA = 0x64; // d
const COPY_DONE = 0x63; // c
const ERROR_RESPONSE = 0x45; // E
const HEADER_BYTES = 5;

/** What a COPY's bytes go to. */
export interface CopySink {
  /** CopyData messages, anyhow split; returns where the first message stands that is none, or `end`. */
  pushFrames(bytes: Uint8Array, start: number, end: number): number;
  /** Called behind each piece of the connection. A promise: no more is read before it resolves. */
  afterPiece(): Promise<void> | null;
}

/** What `pg` hands a query of one's own when it sends it. */
interface PgConnection {
  readonly stream: Socket;
  query(text: string): void;
}

/**
 * A script with one `COPY … TO STDOUT` in it, as a query of `pg`. While it runs, the socket's bytes go straight to the
 * sink: `pg`'s parser would copy every row twice more. At CopyDone or an error, `pg` gets the socket back.
 */
export class CopyOut implements pg.Submittable {
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #sink: CopySink;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #socket: Socket | null = null;
  #handBack: (rest: Uint8Array) => void = () => undefined;
  #copying = false;
  /** The beginning of a message that is not copied, until its length is known; then what is left of it. */
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #skipBytes = 0;

  constructor(text: string, sink: CopySink) {
    this.#text = text;
    this.#sink = sink;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: pg.Connection): void {
    const { stream } = connection as unknown as PgConnection;
    this.#socket = stream;
    this.#handBack = takePieces(stream, this.#onPiece);
    (connection as unknown as PgConnection).query(this.#text);
  }

  readonly #onPiece = (piece: Uint8Array): void => {
    try {
      const at = this.#consume(piece);
      if (at !== null) this.#handBack(piece.subarray(at));
      const wait = this.#sink.afterPiece();
      if (wait !== null) this.#pauseFor(wait);
    } catch (error) {
      this.#fail(error);
    }
  };

  /** Where the message begins that is for `pg` again; null: not yet. */
  #consume(piece: Uint8Array): number | null {
    let at = 0;
    while (at < piece.length) {
      if (this.#skipBytes > 0) {
        const skipped = Math.min(this.#skipBytes, piece.length - at);
        this.#skipBytes -= skipped;
        at += skipped;
      } else if (this.#headerBytes > 0) {
        at = this.#readHeader(piece, at);
      } else {
        if (this.#copying || piece[at] === COPY_DATA) {
          this.#copying = true;
          at = this.#sink.pushFrames(piece, at, piece.length);
          if (at === piece.length) break;
        }
        if (piece[at] === COPY_DONE || piece[at] === ERROR_RESPONSE) return at;
        at = this.#readHeader(piece, at);
      }
    }
    return null;
  }

  /** A notice, a parameter's new value, the results of the statements before the COPY: nothing that matters here. */
  #readHeader(piece: Uint8Array, start: number): number {
    let at = start;
    while (this.#headerBytes < HEADER_BYTES && at < piece.length) this.#header[this.#headerBytes++] = piece[at++]!;
    if (this.#headerBytes === HEADER_BYTES) {
      this.#skipBytes = this.#header.readUInt32BE(1) - (HEADER_BYTES - 1);
      this.#headerBytes = 0;
    }
    return at;
  }

  #pauseFor(wait: Promise<void>): void {
    const socket = this.#socket!;
    socket.pause();
    wait.then(
      () => socket.resume(),
      (error: unknown) => this.#fail(error),
    );
  }

  /** The sink cannot take what comes: the rest of the COPY is of no use, and the connection with it. */
  #fail(error: unknown): void {
    this.#reject(error);
    this.#socket!.destroy();
  }

  handleError(error: Error): void {
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve();
  }

  handleCommandComplete(): void {}
}
