import duckdb, { type DataChunk, type Vector } from "@duckdb/node-bindings";
import type { BufferLoan } from "../../core/buffer-pool.ts";

/**
 * The one place that leans on how DuckDB lays out a string in memory, which is not part of its documented interface
 * (`string_t`, unchanged since 0.3; `test/conformance/duckdb.test.ts` compares md5 sums of every column with what was
 * sent, so another layout is found by the tests). 16 bytes a string:
 *
 *     0–3  length
 *     up to 12 bytes: 4–15 the bytes, the rest zero
 *     longer:         4–7 the first four bytes, 8–15 the address of all of them
 *
 * With it a column's strings need one copy of all their bytes, and no call per value.
 */
const STRING_BYTES = 16;
const INLINE_MAX = 12;
const SLOTS = 2048;

/** Memory of DuckDB's own that bytes are put into, to be pointed at from vectors until `reset`. */
export class StringArena {
  readonly #chunks: { readonly chunk: DataChunk; readonly vector: Vector }[] = [];
  #used = 0;

  /** Copies the bytes (more than `INLINE_MAX`: shorter ones have no address of their own) and returns their address. */
  place(bytes: Uint8Array): { readonly low: number; readonly high: number } {
    const slot = this.#used++ % SLOTS;
    if (slot === 0) {
      const chunk = duckdb.create_data_chunk([duckdb.create_logical_type(duckdb.Type.BLOB)]);
      this.#chunks.push({ chunk, vector: duckdb.data_chunk_get_vector(chunk, 0) });
    }
    const { vector } = this.#chunks.at(-1)!;
    duckdb.vector_assign_string_element_len(vector, slot, bytes);
    const strings = duckdb.vector_get_data(vector, (slot + 1) * STRING_BYTES);
    const view = new DataView(strings.buffer, strings.byteOffset + slot * STRING_BYTES, STRING_BYTES);
    return { low: view.getUint32(8, true), high: view.getUint32(12, true) };
  }

  /** Frees what was placed. No statement may still read it. */
  reset(): void {
    for (const { chunk } of this.#chunks) duckdb.data_chunk_reset(chunk);
    this.#chunks.length = 0;
    this.#used = 0;
  }
}

/** The strings `data[offsets[i], offsets[i + 1])` as an array of DuckDB's string headers. Hot. */
export function stringHeaders(
  data: Uint8Array,
  offsets: Int32Array,
  rows: number,
  arena: StringArena,
  loan: BufferLoan,
): Uint8Array {
  const headers = new Uint8Array(loan.take(rows * STRING_BYTES), 0, rows * STRING_BYTES);
  const words = new Uint32Array(headers.buffer);
  const first = offsets[0]!;
  const end = offsets[rows]!;
  const base = end - first > INLINE_MAX ? arena.place(data.subarray(first, end)) : { low: 0, high: 0 };
  for (let row = 0; row < rows; row++) {
    const start = offsets[row]!;
    const length = offsets[row + 1]! - start;
    const word = row * 4;
    words[word] = length;
    if (length <= INLINE_MAX) {
      words[word + 1] = words[word + 2] = words[word + 3] = 0;
      const at = row * STRING_BYTES + 4;
      for (let i = 0; i < length; i++) headers[at + i] = data[start + i]!;
    } else {
      words[word + 1] = data[start]! | (data[start + 1]! << 8) | (data[start + 2]! << 16) | (data[start + 3]! << 24);
      const low = base.low + (start - first);
      words[word + 2] = low;
      words[word + 3] = low > 0xffff_ffff ? base.high + 1 : base.high;
    }
  }
  return headers;
}
