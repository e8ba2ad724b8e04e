const SLAB_BYTES = 256 * 1024;
/** Before each message: its length, and its tag. */
const HEADER_BYTES = 5;
const NOTHING = new Uint8Array(0);
const NO_REST: Uint8Array[] = [];

interface Slab {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  used: number;
  /** Of its only message. */
  rest: Uint8Array[];
}

function newSlab(size: number): Slab {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer), used: 0, rest: NO_REST };
}

function bytesOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/**
 * What a log's connection brought and nobody decoded yet, in order. Its buffers are used again by the next read, so bytes
 * are copied, into large pieces of memory and not an object each. Hot.
 */
export class MessageQueue {
  readonly #slabs: Slab[] = [];
  #read = 0;
  #spare: Slab | null = null;
  /** Of a message that comes in parts. */
  #begun: Slab | null = null;
  /** Bytes queued, for the bound that its owner keeps. */
  bytes: number = 0;
  /** The message that `next` found. */
  tag: number = 0;
  data: Uint8Array = NOTHING;
  start: number = 0;
  end: number = 0;
  /** What is behind it, of one that is too long for one piece of memory. Whoever is done with a piece takes it out. */
  rest: Uint8Array[] = NO_REST;

  /** `tag` says what it is, by a number below 256 that the owner knows. */
  push(tag: number, message: Uint8Array): void {
    const slab = this.#room(HEADER_BYTES + message.length);
    slab.view.setUint32(slab.used, message.length);
    slab.bytes[slab.used + HEADER_BYTES - 1] = tag;
    slab.bytes.set(message, slab.used + HEADER_BYTES);
    slab.used += HEADER_BYTES + message.length;
    this.bytes += HEADER_BYTES + message.length;
  }

  /**
   * Room for a long message that comes in parts, or for its first piece, so that it is in memory once: written there, it is
   * queued by `pushBegun`. Nothing else may be pushed in between.
   */
  begin(tag: number, length: number): Uint8Array {
    const slab = newSlab(HEADER_BYTES + length);
    slab.view.setUint32(0, length);
    slab.bytes[HEADER_BYTES - 1] = tag;
    this.#begun = slab;
    return slab.bytes.subarray(HEADER_BYTES);
  }

  pushBegun(rest: Uint8Array[] = NO_REST): void {
    const slab = this.#begun!;
    this.#begun = null;
    slab.used = slab.bytes.length;
    slab.rest = rest;
    this.#slabs.push(slab);
    this.bytes += slab.used + bytesOf(rest);
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

  /** With those of the message that `next` found, until it is done with. */
  get heldBytes(): number {
    return this.bytes + this.end - this.start + bytesOf(this.rest);
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  /** Takes the next message, whose bytes stay as they are until the following call; false: there is none. */
  next(): boolean {
    if (this.bytes === 0) return false;
    let slab = this.#slabs[0]!;
    if (this.#read === slab.used) slab = this.#nextSlab(slab);
    const length = slab.view.getUint32(this.#read);
    this.start = this.#read + HEADER_BYTES;
    this.tag = slab.bytes[this.start - 1]!;
    this.end = this.start + length;
    this.data = slab.bytes;
    this.rest = slab.rest;
    this.bytes -= this.end - this.#read + bytesOf(this.rest);
    this.#read = this.end;
    return true;
  }

  /** The message that `next` found is done with: a long one leaves memory before another comes. */
  forget(): void {
    this.data = NOTHING;
    this.rest = NO_REST;
    this.start = this.end = 0;
    const slab = this.#slabs[0];
    if (slab === undefined || slab.bytes.length <= SLAB_BYTES || this.#read < slab.used) return;
    this.#slabs.shift();
    this.#read = 0;
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
