import duckdb, { type DataChunk, type LogicalType as NativeType, type Vector } from "@duckdb/node-bindings";
import type { LogicalType } from "../../core/logical-type.ts";
import type { VectorData } from "./encode.ts";

/** Rows on their way into DuckDB: named, typed columns, in parts as they came. */
export interface FeedRows {
  readonly columns: readonly FeedColumn[];
  readonly parts: readonly FeedPart[];
  readonly length: number;
}

export interface FeedColumn {
  readonly name: string;
  readonly type: LogicalType;
}

export interface FeedPart {
  readonly length: number;
  /** Those of the rows, in their order, and maybe others behind them. */
  readonly columns: readonly VectorData[];
}

/**
 * How rows get in. `run` makes them a relation, and runs the statements over it in order, in the transaction that is
 * open; each may read it as often as it likes, and pays for the columns that it names. The order of its rows is not kept.
 * One `run` at a time.
 */
export interface Feed {
  run(rows: FeedRows, statements: (relation: string) => readonly string[]): Promise<void>;
}

/** DuckDB's type object. JSON is text with a name, and as such is stored without being parsed. */
export function nativeType(type: LogicalType): NativeType {
  const { Type, create_logical_type } = duckdb;
  switch (type.kind) {
    case "bool":
      return create_logical_type(Type.BOOLEAN);
    case "int":
      return create_logical_type(type.bits === 16 ? Type.SMALLINT : type.bits === 32 ? Type.INTEGER : Type.BIGINT);
    case "float":
      return create_logical_type(type.bits === 32 ? Type.FLOAT : Type.DOUBLE);
    case "decimal":
      return duckdb.create_decimal_type(type.precision, type.scale);
    case "text":
      return create_logical_type(Type.VARCHAR);
    case "json": {
      const json = create_logical_type(Type.VARCHAR);
      duckdb.logical_type_set_alias(json, "JSON");
      return json;
    }
    case "bytes":
      return create_logical_type(Type.BLOB);
    case "uuid":
      return create_logical_type(Type.UUID);
    case "date":
      return create_logical_type(Type.DATE);
    case "time":
      return create_logical_type(Type.TIME);
    case "timestamp":
      return create_logical_type(type.zone ? Type.TIMESTAMP_TZ : Type.TIMESTAMP);
  }
}

/** Puts the strings of `[row, row + count)` of a part's column into a vector at `at`. */
export type StringWriter = (
  vector: Vector,
  at: number,
  strings: VectorData & { readonly kind: "bytes" },
  row: number,
  count: number,
) => void;

/** Goes through some columns of rows once, a vector's worth at a time, filling chunks from as many parts as fit. */
export class RowCursor {
  readonly #rows: FeedRows;
  readonly #columns: readonly number[];
  readonly #writeStrings: StringWriter;
  readonly #vectorRows: number = duckdb.vector_size();
  #part = 0;
  #row = 0;

  constructor(rows: FeedRows, columns: readonly number[], writeStrings: StringWriter) {
    this.#rows = rows;
    this.#columns = columns;
    this.#writeStrings = writeStrings;
  }

  /** Fills the chunk and says with how many rows; 0: there are no more. Hot. */
  fill(chunk: DataChunk): number {
    const slices = this.#take();
    const filled = slices.reduce((sum, slice) => sum + slice.count, 0);
    if (filled > 0)
      for (const [i, column] of this.#columns.entries()) {
        const vector = duckdb.data_chunk_get_vector(chunk, i);
        for (const { part, row, count, at } of slices) this.#write(vector, at, part.columns[column]!, row, count);
        writeValidity(vector, slices, column, filled);
      }
    duckdb.data_chunk_set_size(chunk, filled);
    return filled;
  }

  #take(): Slice[] {
    const slices: Slice[] = [];
    let at = 0;
    while (at < this.#vectorRows && this.#part < this.#rows.parts.length) {
      const part = this.#rows.parts[this.#part]!;
      const count = Math.min(this.#vectorRows - at, part.length - this.#row);
      if (count > 0) slices.push({ part, row: this.#row, count, at });
      at += count;
      this.#row += count;
      if (this.#row === part.length) {
        this.#part++;
        this.#row = 0;
      }
    }
    return slices;
  }

  #write(vector: Vector, at: number, cells: VectorData, row: number, count: number): void {
    if (cells.kind === "bytes") this.#writeStrings(vector, at, cells, row, count);
    else copyToVector(vector, at, cells.data, cells.width, row, count);
  }
}

interface Slice {
  readonly part: FeedPart;
  readonly row: number;
  readonly count: number;
  /** Where in the vector it begins. */
  readonly at: number;
}

export function copyToVector(
  vector: Vector,
  at: number,
  data: Uint8Array,
  width: number,
  row: number,
  count: number,
): void {
  const from = data.byteOffset + row * width;
  duckdb.copy_data_to_vector(vector, at * width, data.buffer as ArrayBuffer, from, count * width);
}

function writeValidity(vector: Vector, slices: readonly Slice[], column: number, filled: number): void {
  if (slices.every(({ part }) => part.columns[column]!.validity === null)) return;
  const bits = new Uint8Array(((filled + 63) >> 6) << 3).fill(0xff);
  const [first] = slices;
  if (slices.length === 1 && (first!.row & 7) === 0)
    bits.set(first!.part.columns[column]!.validity!.subarray(first!.row >> 3, (first!.row + filled + 7) >> 3));
  else for (const { part, row, count, at } of slices) clearNulls(bits, at, part.columns[column]!.validity, row, count);
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer, 0, bits.byteLength);
}

function clearNulls(bits: Uint8Array, at: number, from: Uint8Array | null, row: number, count: number): void {
  if (from === null) return;
  for (let i = 0; i < count; i++)
    if ((from[(row + i) >> 3]! & (1 << ((row + i) & 7))) === 0) bits[(at + i) >> 3]! &= ~(1 << ((at + i) & 7));
}
