import type { Socket } from "node:net";
import type { Connection } from "mysql2";
import { takePieces } from "../../flow/bulk-socket.ts";

/** Three bytes of length, one of sequence (MySQL *Client/Server Protocol*, *MySQL Packets*). */
const HEADER_BYTES = 4;
/** A packet of this length is continued in the next one. */
const LENGTH_MAX = 0xff_ff_ff;

/** First byte of a command's packet. */
const COM_STMT_EXECUTE = 0x17;

/** What the packets of an answer go to. What it throws ends the answer, and the connection with it. */
export interface PacketSink {
  /**
   * A whole payload, in `bytes[start, end)` until `release`. True: it was the last one, or an error; mysql2 gets it, and
   * the socket back.
   */
  packet(bytes: Uint8Array, start: number, end: number): boolean;
  /** Of a payload of 16 MB or more, as it comes; `last`: it ends here, which may be in an empty part. */
  part(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  /** Whatever was handed over is about to be overwritten. */
  release(): void;
  /** Called behind each piece of the connection. A promise: no more is read before it resolves. */
  afterPiece(): Promise<void> | null;
}

/** What mysql2 3.24.6 hands a command of one's own, beside what its types say. */
interface ConnectionInternals {
  readonly stream: Socket;
  sequenceId: number;
  readonly clientEncoding: string;
  addCommand(command: PacketStream): void;
  write(bytes: Buffer): void;
}

interface Mysql2Packet {
  isError(): boolean;
  asError(encoding: string): Error;
}

/** The execution of a prepared statement without parameters, as a command's payload: no cursor, once. */
function executePayload(statement: number): Buffer {
  const payload = Buffer.alloc(10);
  payload[0] = COM_STMT_EXECUTE;
  payload.writeUInt32LE(statement, 1);
  payload.writeUInt32LE(1, 6);
  return payload;
}

/**
 * Has the rows of a statement sent to a sink as the binary protocol has them. Rejects with what the server, the socket or the
 * sink said.
 */
export async function streamRows(connection: Connection, sql: string, sink: PacketSink): Promise<void> {
  const statement = await prepared(connection, sql);
  try {
    await PacketStream.run(connection, executePayload(statement), sink);
  } finally {
    // mysql2 keeps it for the same text else.
    if (!(connection as unknown as ConnectionInternals).stream.destroyed) connection.unprepare(sql);
  }
}

function prepared(connection: Connection, sql: string): Promise<number> {
  return new Promise((resolve, reject) => {
    connection.prepare(sql, (error, statement) => {
      if (error === null) resolve((statement as unknown as { readonly id: number }).id);
      else reject(error);
    });
  });
}

/**
 * One command whose answer goes straight to a sink, as a command of mysql2: its parser would make an object of every
 * packet, and copy those that are cut. With the answer's last packet mysql2 gets the socket back, and goes on.
 */
export class PacketStream {
  /** Settles when mysql2 has the socket again, or never will. Rejects with what the server, the socket or the sink said. */
  readonly done: Promise<void>;
  readonly #payload: Buffer;
  readonly #sink: PacketSink;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #connection: ConnectionInternals | null = null;
  #handBack: (rest: Uint8Array) => void = () => undefined;
  /** The beginning of a packet whose rest has not come yet, its header included. */
  #carry: Buffer = Buffer.allocUnsafe(1024);
  #carryBytes = 0;
  /** Of a packet that is part of a long payload, the bytes still to come; −1: there is none. */
  #partLeft = -1;
  #partContinues = false;

  private constructor(payload: Buffer, sink: PacketSink) {
    this.#payload = payload;
    this.#sink = sink;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Runs it behind what the connection has still to do. */
  static run(connection: Connection, payload: Buffer, sink: PacketSink): Promise<void> {
    const stream = new PacketStream(payload, sink);
    (connection as unknown as ConnectionInternals).addCommand(stream);
    return stream.done;
  }

  /** By mysql2: once without a packet when it is this command's turn, then with the last one. True: the command is over. */
  execute(packet: Mysql2Packet | undefined, connection: ConnectionInternals): boolean {
    if (packet !== undefined) {
      if (packet.isError()) this.#reject(packet.asError(connection.clientEncoding));
      else this.#resolve();
      return true;
    }
    this.#connection = connection;
    this.#handBack = takePieces(connection.stream, this.#onPiece);
    for (const bytes of framed(this.#payload)) connection.write(bytes);
    return false;
  }

  /** By mysql2, when the connection broke. */
  readonly onResult = (error: Error): void => this.#reject(error);

  readonly #onPiece = (piece: Uint8Array): void => {
    try {
      const lastAt = this.#consume(piece);
      this.#sink.release();
      const wait = this.#sink.afterPiece();
      if (wait !== null) this.#pauseFor(wait);
      if (lastAt !== null) this.#end(piece, lastAt);
    } catch (error) {
      this.#fail(error);
    }
  };

  /** Where the last packet begins, or ends where it was put together in the side buffer; null: not yet. Hot. */
  #consume(piece: Uint8Array): number | null {
    const end = piece.length;
    let at = 0;
    while (at < end) {
      if (this.#partLeft >= 0) {
        at = this.#passPart(piece, at);
        continue;
      }
      if (this.#carryBytes > 0) {
        at = this.#fillCarry(piece, at);
        if (!this.#carryIsWhole()) continue;
        if (this.#sink.packet(this.#carry, HEADER_BYTES, this.#carryBytes)) return at;
        this.#sink.release();
        this.#carryBytes = 0;
        continue;
      }
      const next = end - at < HEADER_BYTES ? end + 1 : at + HEADER_BYTES + lengthAt(piece, at);
      if (next <= end && next - at < HEADER_BYTES + LENGTH_MAX) {
        if (this.#sink.packet(piece, at + HEADER_BYTES, next)) return at;
        at = next;
      } else at = this.#copyToCarry(piece, at, HEADER_BYTES);
    }
    return null;
  }

  /** The header comes first: it says whether this is part of a payload too long to be put together. */
  #fillCarry(piece: Uint8Array, start: number): number {
    const at = this.#copyToCarry(piece, start, HEADER_BYTES);
    if (this.#carryBytes < HEADER_BYTES) return at;
    const length = lengthAt(this.#carry, 0);
    if (length === LENGTH_MAX) {
      this.#carryBytes = 0;
      this.#partLeft = length;
      this.#partContinues = true;
      return at;
    }
    return this.#copyToCarry(piece, at, HEADER_BYTES + length);
  }

  #carryIsWhole(): boolean {
    return this.#carryBytes >= HEADER_BYTES && this.#carryBytes === HEADER_BYTES + lengthAt(this.#carry, 0);
  }

  /** Copies until the side buffer has `wanted` bytes; it grows with what comes, not with what is announced. */
  #copyToCarry(piece: Uint8Array, at: number, wanted: number): number {
    const bytes = Math.max(0, Math.min(wanted - this.#carryBytes, piece.length - at));
    const need = this.#carryBytes + bytes;
    if (need > this.#carry.length) {
      const grown = Buffer.allocUnsafe(Math.max(need, this.#carry.length * 2));
      grown.set(this.#carry.subarray(0, this.#carryBytes));
      this.#carry = grown;
    }
    this.#carry.set(piece.subarray(at, at + bytes), this.#carryBytes);
    this.#carryBytes = need;
    return at + bytes;
  }

  #passPart(piece: Uint8Array, at: number): number {
    if (this.#partLeft === 0 && this.#partContinues) return this.#continuePart(piece, at);
    const end = Math.min(at + this.#partLeft, piece.length);
    this.#partLeft -= end - at;
    const last = this.#partLeft === 0 && !this.#partContinues;
    this.#sink.part(piece, at, end, last);
    if (last) this.#partLeft = -1;
    return end;
  }

  #continuePart(piece: Uint8Array, start: number): number {
    const at = this.#copyToCarry(piece, start, HEADER_BYTES);
    if (this.#carryBytes < HEADER_BYTES) return at;
    this.#carryBytes = 0;
    this.#partLeft = lengthAt(this.#carry, 0);
    this.#partContinues = this.#partLeft === LENGTH_MAX;
    if (this.#partLeft > 0) return at;
    this.#partLeft = -1;
    this.#sink.part(piece, at, at, true);
    return at;
  }

  /** mysql2 counts packets, and has not seen those before this one. */
  #end(piece: Uint8Array, lastAt: number): void {
    const rest = Buffer.concat([this.#carry.subarray(0, this.#carryBytes), piece.subarray(lastAt)]);
    this.#connection!.sequenceId = rest[HEADER_BYTES - 1]!;
    this.#handBack(rest);
  }

  #pauseFor(wait: Promise<void>): void {
    const socket = this.#connection!.stream;
    socket.pause();
    wait.then(
      () => socket.resume(),
      (error: unknown) => this.#fail(error),
    );
  }

  /** The sink cannot take what comes: the rest of the answer is of no use, and the connection with it. */
  #fail(error: unknown): void {
    this.#reject(error);
    this.#connection!.stream.destroy();
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
}

/** A command's payload in packets, counted from 0. */
function* framed(payload: Buffer): Generator<Buffer, void, undefined> {
  for (let at = 0, sequence = 0; at <= payload.length; at += LENGTH_MAX, sequence++) {
    const part = payload.subarray(at, at + LENGTH_MAX);
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUIntLE(part.length, 0, HEADER_BYTES - 1);
    header[HEADER_BYTES - 1] = sequence & 0xff;
    yield Buffer.concat([header, part]);
  }
}
