import { snapshotBatch, type ChangeBatch } from "../../src/core/change-batch.ts";
import { bit, bitmapBytes, type Column, isAbsent, isNull, cellBytes } from "../../src/core/column.ts";
import { fixedWidth, type LogicalType } from "../../src/core/logical-type.ts";
import { tableId, type TableSchema } from "../../src/core/table-schema.ts";
import { ALL_TYPES } from "./parquet-cells.ts";
import type { Random } from "./random.ts";

/** A batch of a snapshot with columns of any type and cells of any bytes, in buffers with something behind and before them. */
export function randomBatch(random: Random, rows: number): ChangeBatch {
  const types = Array.from({ length: 1 + random.below(5) }, () => random.pick(ALL_TYPES));
  const schema: TableSchema = {
    id: tableId("shop", "Größe"),
    namespace: "shop",
    name: "Größe",
    version: 1 + random.below(9),
    key: random.chance(0.5) ? [0] : [],
    columns: types.map((type, i) => ({
      name: `${random.text(4)}${i}`,
      type,
      nullable: random.chance(0.5),
      sourceType: type.kind,
      collation: null,
      existingRowsDefault: random.chance(0.2) ? random.text(5) : null,
    })),
  };
  return snapshotBatch(
    schema,
    types.map((type) => randomColumn(type, rows, random)),
    rows,
  );
}

function randomColumn(type: LogicalType, rows: number, random: Random): Column {
  const absent = random.chance(0.2) ? randomBytes(bitmapBytes(rows) + 8 * random.below(3), random) : null;
  // A bitmap may end with its rows.
  const validity = random.chance(0.6) ? randomBytes(((rows + 7) >> 3) + random.below(9), random) : null;
  // The bit of an absent cell is cleared.
  if (absent !== null && validity !== null) for (const [i, byte] of absent.entries()) validity[i]! &= ~byte;
  const width = fixedWidth(type);
  if (width >= 0) {
    const bytes = (width === 0 ? bitmapBytes(rows) : rows * width) + random.below(20);
    return { type, length: rows, values: randomBytes(bytes, random), offsets: null, validity, absent };
  }
  const offsets = new Int32Array(rows + 1 + random.below(3));
  offsets[0] = random.below(2) * random.below(30);
  for (let row = 0; row < rows; row++) offsets[row + 1] = offsets[row]! + random.below(2) * random.below(40);
  const values = randomBytes(offsets[rows]! + random.below(20), random);
  return { type, length: rows, values, offsets, validity, absent };
}

function randomBytes(bytes: number, random: Random): Uint8Array {
  return Uint8Array.from({ length: bytes }, () => random.below(256));
}

/** What its cells are, column by column. */
export function shownCells(batch: ChangeBatch): readonly (readonly (string | boolean | null)[])[] {
  return batch.columns.map((column) =>
    Array.from({ length: column.length }, (_, row) => {
      if (isAbsent(column, row)) return "absent";
      if (isNull(column, row)) return null;
      if (column.type.kind === "bool") return bit(column.values, row);
      return Buffer.from(cellBytes(column, row)).toString("hex");
    }),
  );
}
