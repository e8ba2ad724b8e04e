import { MillraceError } from "../../core/errors.ts";
import type { FileSchema } from "../file-schema.ts";
import { footerBytes, MAGIC, rowGroupBytes, TAIL_BYTES } from "./footer.ts";
import type { EncodedRowGroup } from "./encoding.ts";
import { type Leaf, leavesOf } from "./schema-elements.ts";

/**
 * A Parquet file in the making: what it gives are the bytes to append, in this order, and what it keeps of a row group is
 * its part of the footer.
 */
export class ParquetFile {
  readonly #schema: FileSchema;
  readonly #leaves: readonly Leaf[];
  readonly #rowGroups: Uint8Array[] = [];
  #bytes = 0;
  #rows = 0;

  constructor(schema: FileSchema) {
    this.#schema = schema;
    this.#leaves = leavesOf(schema);
  }

  /** So far, of what was given. */
  get bytes(): number {
    return this.#bytes;
  }

  get rows(): number {
    return this.#rows;
  }

  begin(): Uint8Array {
    return this.#given(MAGIC);
  }

  /** Of a row group of this file's schema, in pieces. */
  add(rowGroup: EncodedRowGroup): readonly Uint8Array[] {
    const { chunks } = rowGroup;
    for (const [i, { path, physical }] of this.#leaves.entries())
      if (chunks[i]?.physical !== physical)
        throw new MillraceError("INTERNAL", `column ${path.join(".")} is not stored as the file's schema says`);
    if (chunks.length !== this.#leaves.length)
      throw new MillraceError("INTERNAL", `a file of ${this.#leaves.length} columns was given ${chunks.length}`);
    this.#rowGroups.push(rowGroupBytes(rowGroup, this.#leaves, this.#bytes, this.#rowGroups.length));
    this.#rows += rowGroup.rows;
    return [rowGroup.bytes, ...rowGroup.wide].map((bytes) => this.#given(bytes));
  }

  /** The footer, with these keys and values for whoever knows them. */
  end(metadata: ReadonlyMap<string, string>): Uint8Array {
    const footer = footerBytes({
      schema: this.#schema,
      rows: this.#rows,
      rowGroups: this.#rowGroups,
      leaves: this.#leaves.length,
      metadata,
    });
    const bytes = new Uint8Array(footer.length + TAIL_BYTES);
    bytes.set(footer);
    new DataView(bytes.buffer).setUint32(footer.length, footer.length, true);
    bytes.set(MAGIC, footer.length + TAIL_BYTES - MAGIC.length);
    return this.#given(bytes);
  }

  #given(bytes: Uint8Array): Uint8Array {
    this.#bytes += bytes.length;
    return bytes;
  }
}
