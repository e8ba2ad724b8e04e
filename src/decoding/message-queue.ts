import { pgLsn, type PgLsn } from "./position.ts";

const SLAB_BYTES = 256 * 1024;
/** Before each entry: its length, or this for a keepalive, whose entry is its WAL position. */
const LENGTH_BYTES = 4;
const KEEPALIVE = 0xffff_ffff;
const LSN_BYTES = 8;

interface Slab {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  used: number;
}

function newSlab(size: number): Slab {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer), used: 0 };
}

/**
 * What the walsender sent and nobody decoded yet, in order: messages and keepalives. The connection's buffers are used
 * again by the next read, so bytes are copied, into large pieces of memory and not an object each. Hot.
 */
export class WalQueue {
  readonly #slabs: Slab[] = [];
  #read = 0;
  #spare: Slab | null = null;
  /** Bytes queued, for the bound that its owner keeps. */
  bytes: number = 0;
  /** The entry that `next` found: a message's place in `data`, or the position that a keepalive told. */
  data: Uint8Array = new Uint8Array(0);
  start: number = 0;
  end: number = 0;
  keepalive: PgLsn | null = null;

  pushMessage(message: Uint8Array): void {
    const slab = this.#room(LENGTH_BYTES + message.length);
    slab.view.setUint32(slab.used, message.length);
    slab.bytes.set(message, slab.used + LENGTH_BYTES);
    this.#pushed(slab, LENGTH_BYTES + message.length);
  }

  pushKeepalive(walEnd: PgLsn): void {
    const slab = this.#room(LENGTH_BYTES + LSN_BYTES);
    slab.view.setUint32(slab.used, KEEPALIVE);
    slab.view.setBigUint64(slab.used + LENGTH_BYTES, walEnd);
    this.#pushed(slab, LENGTH_BYTES + LSN_BYTES);
  }

  #pushed(slab: Slab, bytes: number): void {
    slab.used += bytes;
    this.bytes += bytes;
  }

  #room(bytes: number): Slab {
    const last = this.#slabs.at(-1);
    if (last !== undefined && last.used + bytes <= last.bytes.length) return last;
    const spare = bytes <= SLAB_BYTES ? this.#spare : null;
    if (spare !== null) this.#spare = null;
    const slab = spare ?? newSlab(Math.max(SLAB_BYTES, bytes));
    this.#slabs.push(slab);
    return slab;
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  /** Takes the next entry, whose bytes stay as they are until the following call; false: there is none. */
  next(): boolean {
    if (this.bytes === 0) return false;
    let slab = this.#slabs[0]!;
    if (this.#read === slab.used) slab = this.#nextSlab(slab);
    const length = slab.view.getUint32(this.#read);
    this.start = this.#read + LENGTH_BYTES;
    this.keepalive = length === KEEPALIVE ? pgLsn(slab.view.getBigUint64(this.start)) : null;
    this.end = this.start + (length === KEEPALIVE ? LSN_BYTES : length);
    this.data = slab.bytes;
    this.bytes -= this.end - this.#read;
    this.#read = this.end;
    return true;
  }

  #nextSlab(done: Slab): Slab {
    this.#slabs.shift();
    this.#read = 0;
    if (done.bytes.length === SLAB_BYTES) {
      done.used = 0;
      this.#spare = done;
    }
    return this.#slabs[0]!;
  }
}
