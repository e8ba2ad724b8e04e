import { BufferRegion, FieldNode } from "apache-arrow/ipc/metadata/message";

/** Arrow's advice for buffers. 128-bit decimals have to be copied again by who reads them where it is less than 16. */
const ALIGNMENT = 64;

interface Part {
  readonly at: number;
  /** Offsets are an `Int32Array`. */
  readonly source: Uint8Array | Int32Array;
}

/**
 * The body of one record batch, by reference: what nodes and buffers it has, of which nothing is copied before `writeTo`.
 * (Arrow's own writer joins the pieces by a function that takes two views of the same memory for one where they overlap,
 * and a batch may have the same buffer twice; and it leaves out the buffer of a bool column of nulls, which readers want.)
 */
export class ArrowBody {
  readonly nodes: FieldNode[] = [];
  readonly regions: BufferRegion[] = [];
  readonly #parts: Part[] = [];
  #bytes = 0;

  /** Of all buffers, with the padding behind each. */
  get bytes(): number {
    return this.#bytes;
  }

  node(length: number, nulls: number): void {
    this.nodes.push(new FieldNode(length, nulls));
  }

  view(source: Uint8Array): void {
    this.#add(source.byteLength, source);
  }

  zeros(bytes: number): void {
    this.#add(bytes, null);
  }

  /** As they count from the first. */
  offsets(offsets: Int32Array): void {
    this.#add(offsets.byteLength, offsets);
  }

  /** `target` is zero from `start` on. */
  writeTo(target: Uint8Array, start: number): void {
    for (const { at, source } of this.#parts)
      if (source instanceof Uint8Array) target.set(source, start + at);
      else writeOffsets(source, new Int32Array(target.buffer, target.byteOffset + start + at, source.length));
  }

  #add(bytes: number, source: Part["source"] | null): void {
    this.regions.push(new BufferRegion(this.#bytes, bytes));
    if (source !== null) this.#parts.push({ at: this.#bytes, source });
    this.#bytes += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  }
}

/** Hot: once a text cell. */
function writeOffsets(offsets: Int32Array, target: Int32Array): void {
  const first = offsets[0]!;
  if (first === 0) target.set(offsets);
  else for (let i = 0; i < offsets.length; i++) target[i] = offsets[i]! - first;
}
