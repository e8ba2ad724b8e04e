import { type Column, setBit } from "../../src/core/column.ts";
import { ColumnBuilder } from "../../src/core/column-builder.ts";
import type { LogicalType } from "../../src/core/logical-type.ts";
import type { ColumnSet, FileCells, FileColumn, FileSchema, FileType } from "../../src/formats/file-schema.ts";
import type { Random } from "./random.ts";

/**
 * A cell as every reader is asked for it, whatever it makes of the type: integers, days and microseconds as digits,
 * decimals with their scale, floats as the bits of a double, bytes and uuids as hexadecimal digits; a list of texts, or the
 * cells of a row by their names.
 */
export type Cell = string | null | readonly string[] | { readonly [name: string]: Cell };

/** What goes into a file, and what readers are to find in it: the cells of each column. */
export interface Sample {
  readonly schema: FileSchema;
  readonly sets: readonly ColumnSet[];
  readonly columns: readonly (readonly Cell[])[];
}

const FLAT: readonly LogicalType[] = [
  { kind: "bool" },
  { kind: "int", bits: 16 },
  { kind: "int", bits: 32 },
  { kind: "int", bits: 64 },
  { kind: "float", bits: 32 },
  { kind: "float", bits: 64 },
  { kind: "text" },
  { kind: "json" },
  { kind: "bytes" },
  { kind: "uuid" },
  { kind: "date" },
  { kind: "time" },
  { kind: "timestamp", zone: true },
  { kind: "timestamp", zone: false },
];
const DECIMALS = [
  [1, 0],
  [9, 2],
  [10, 10],
  [18, 6],
  [19, 0],
  [28, 28],
  [38, 0],
  [38, 10],
] as const;

export const ALL_TYPES: readonly LogicalType[] = [
  ...FLAT,
  ...DECIMALS.map(([precision, scale]) => ({ kind: "decimal", precision, scale }) as const),
];

export function randomSchema(random: Random, columns: number): FileSchema {
  return Array.from({ length: columns }, (_, i) => randomColumn(random, i, 2));
}

function randomColumn(random: Random, i: number, depth: number): FileColumn {
  const name = random.pick(["c", "Größe ", 'dot.ted"', "0", "漢"]) + String(i);
  return { name, fieldId: 1 + random.below(1_000_000), type: randomType(random, depth), required: random.chance(0.3) };
}

function randomType(random: Random, depth: number): FileType {
  const way = random.below(12);
  if (way === 0) return { kind: "texts" };
  if (way > 1 || depth === 0) return random.pick(ALL_TYPES);
  const fields = Array.from({ length: 1 + random.below(4) }, (_, i) => randomColumn(random, i, depth - 1));
  return { kind: "row", fields };
}

export function randomSample(schema: FileSchema, lengths: readonly number[], random: Random): Sample {
  const columns: Cell[][] = schema.map(() => []);
  const sets = lengths.map((length) => {
    const made = schema.map((column) => randomCells(column, length, random));
    for (const [i, { cells }] of made.entries()) columns[i]!.push(...cells);
    return { length, columns: made.map(({ given }) => given) };
  });
  return { schema, sets, columns };
}

interface Made {
  readonly given: FileCells;
  readonly cells: readonly Cell[];
}

function randomCells(column: FileColumn, length: number, random: Random): Made {
  const { type, required } = column;
  if (!required && random.chance(0.1)) return { given: null, cells: Array.from({ length }, () => null) };
  const nulls = required ? 0 : random.pick([0, 0.1, 0.5, 1]);
  if (type.kind === "texts") return randomLists(length, nulls, random);
  if (type.kind === "row") return randomRows(type.fields, length, nulls, random);
  const different = random.pick([1, 3, 20, 1000]);
  const values = Array.from({ length: Math.min(different, length) }, () => randomValue(type, random));
  const cells = Array.from({ length }, () => (random.chance(nulls) ? null : random.pick(values)));
  return { given: shifted(columnOf(type, cells), random), cells };
}

function randomLists(length: number, nulls: number, random: Random): Made {
  const cells = Array.from({ length }, () =>
    random.chance(nulls) ? null : Array.from({ length: random.below(4) }, () => random.text(random.below(9))),
  );
  const before = random.below(3);
  const items = [
    ...Array.from({ length: before }, () => "not in it"),
    ...cells.flatMap((cell) => cell ?? []),
    "nor this",
  ];
  const offsets = new Int32Array(length + 1 + random.below(3));
  offsets[0] = before;
  for (const [i, cell] of cells.entries()) offsets[i + 1] = offsets[i]! + (cell?.length ?? 0);
  const given = { offsets, items: shifted(columnOf({ kind: "text" }, items), random), validity: validityOf(cells) };
  return { given, cells };
}

function randomRows(fields: readonly FileColumn[], length: number, nulls: number, random: Random): Made {
  const made = fields.map((field) => randomCells(field, length, random));
  const cells = Array.from({ length }, (_, row) =>
    random.chance(nulls) ? null : Object.fromEntries(fields.map(({ name }, i) => [name, made[i]!.cells[row]!])),
  );
  return { given: { children: made.map(({ given }) => given), validity: validityOf(cells) }, cells };
}

function validityOf(cells: readonly unknown[]): Uint8Array | null {
  if (!cells.includes(null)) return null;
  const validity = new Uint8Array((cells.length >> 3) + 9);
  for (const [row, cell] of cells.entries()) if (cell !== null) setBit(validity, row);
  return validity;
}

/** The same cells in one buffer, that has others' bytes before, between and behind them. */
function shifted(column: Column, random: Random): Column {
  const parts: (Uint8Array | Int32Array)[] = [column.values];
  const before = column.offsets === null ? 0 : random.below(20);
  if (column.offsets !== null) parts.push(column.offsets);
  if (column.validity !== null) parts.push(column.validity);
  const gap = 8 * (1 + random.below(3));
  const buffer = new ArrayBuffer(parts.reduce((sum, { byteLength }) => sum + gap * 2 + byteLength + 32, 0) & ~7);
  const all = new Uint8Array(buffer).fill(0xa5);
  let at = gap;
  const moved = (part: Uint8Array | Int32Array, skip: number): Uint8Array => {
    const start = at;
    all.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), start + skip);
    at = (start + skip + part.byteLength + gap + 7) & ~7;
    return all.subarray(start, start + skip + part.byteLength + random.below(gap));
  };
  const values = moved(column.values, before);
  const offsetBytes = column.offsets === null ? null : moved(column.offsets, 0);
  const offsets = offsetBytes && new Int32Array(buffer, offsetBytes.byteOffset, offsetBytes.byteLength >> 2);
  if (offsets !== null) for (let i = 0; i <= column.length; i++) offsets[i]! += before;
  return { ...column, values, offsets, validity: column.validity && moved(column.validity, 0) };
}

const utf8 = new TextEncoder();

/** A column of cells of a flat type. */
export function columnOf(type: LogicalType, cells: readonly (string | null)[]): Column {
  const builder = new ColumnBuilder(type);
  for (const cell of cells) {
    builder.reserve();
    if (cell === null) builder.appendNull();
    else if (type.kind === "bool") builder.appendBool(cell === "true");
    else if (builder.width >= 0) writeFixed(builder, type, cell);
    else {
      const bytes = type.kind === "bytes" ? Buffer.from(cell, "hex") : utf8.encode(cell);
      builder.appendBytes(bytes, 0, bytes.length);
    }
  }
  return builder.finish();
}

function writeFixed(builder: ColumnBuilder, type: LogicalType, cell: string): void {
  const { buffer, byteOffset } = builder.bytes;
  const view = new DataView(buffer, byteOffset + builder.row * builder.width, builder.width);
  if (type.kind === "uuid") builder.bytes.set(Buffer.from(cell.replaceAll("-", ""), "hex"), builder.row * 16);
  else if (type.kind === "float") {
    if (type.bits === 32) view.setFloat32(0, doubleOf(cell), true);
    else view.setFloat64(0, doubleOf(cell), true);
  } else if (type.kind === "decimal") {
    const unscaled = BigInt(cell.replace(".", ""));
    view.setBigUint64(0, BigInt.asUintN(64, unscaled), true);
    view.setBigInt64(8, unscaled >> 64n, true);
  } else if (builder.width === 2) view.setInt16(0, Number(cell), true);
  else if (builder.width === 4) view.setInt32(0, Number(cell), true);
  else view.setBigInt64(0, BigInt(cell), true);
  builder.next();
}

/** `NaN`, or the bits. */
export function doubleCell(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString("hex");
}

export function doubleOf(cell: string): number {
  return cell === "NaN" ? Number.NaN : Buffer.from(cell, "hex").readDoubleBE();
}

/** `-0.05` of −5 with the scale 2. */
export function decimalCell(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const sign = unscaled < 0n ? "-" : "";
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

export function uuidCell(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const DAY_US = 86_400_000_000n;
/** 9999-12-31T23:59:59.999999 and 0001-01-01: what every reader's clock knows. */
const LATEST_US = 253_402_300_799_999_999n;
const EARLIEST_US = -62_135_596_800_000_000n;

/** Of every type the least and the largest, what is on both sides of zero, and what is easily mixed up. */
export function edgeValues(type: LogicalType): readonly string[] {
  switch (type.kind) {
    case "bool":
      return ["true", "false"];
    case "int": {
      const top = 1n << BigInt(type.bits - 1);
      return [-top, -1n, 0n, 1n, top - 1n].map(String);
    }
    case "float": {
      const [largest, least] = type.bits === 32 ? [Math.fround(3.4e38), 2 ** -149] : [Number.MAX_VALUE, 5e-324];
      return [0, -0, 0.5, largest, -largest, least, Infinity, -Infinity, NaN].map(doubleCell);
    }
    case "decimal": {
      const top = 10n ** BigInt(type.precision) - 1n;
      return [-top, -1n, 0n, 1n, top].map((unscaled) => decimalCell(unscaled, type.scale));
    }
    case "text":
      return ["", " ", "a", "null", "\u0000", "é→漢😀", "\u{10ffff}".repeat(40), "z".repeat(300)];
    case "json":
      return ["null", "{}", '{"a":[1,"é"]}', '""', "1e400"];
    case "bytes":
      return ["", "00", "ff".repeat(100), "80"];
    case "uuid":
      return ["0", "8", "f"].map((digit) => uuidCell(digit.repeat(32)));
    case "date":
      return [EARLIEST_US / DAY_US, -1n, 0n, 1n, LATEST_US / DAY_US].map(String);
    case "time":
      return [0n, 1n, DAY_US - 1n, DAY_US].map(String);
    case "timestamp":
      return [EARLIEST_US, -1n, 0n, 1n, LATEST_US].map(String);
  }
}

function randomValue(type: LogicalType, random: Random): string {
  if (random.chance(0.3)) return random.pick(edgeValues(type));
  const bits = (count: number): bigint =>
    BigInt.asIntN(count, (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32)));
  switch (type.kind) {
    case "bool":
      return String(random.chance(0.5));
    case "int":
      return String(bits(1 + random.below(type.bits)));
    case "float":
      return doubleCell(type.bits === 32 ? Math.fround(random.next() * 1000 - 500) : random.next() * 1000 - 500);
    case "decimal":
      return decimalCell(bits(64) % 10n ** BigInt(1 + random.below(type.precision)), type.scale);
    case "text":
      return random.text(random.below(random.pick([4, 40, 100])));
    case "json":
      return JSON.stringify({ [random.text(3)]: random.below(100) });
    case "bytes":
      return random
        .uuid()
        .replaceAll("-", "")
        .slice(0, 2 * random.below(17));
    case "uuid":
      return random.uuid();
    case "date":
      return String(random.below(200_000) - 100_000);
    case "time":
      return String(BigInt(Math.floor(random.next() * Number(DAY_US))));
    case "timestamp":
      return String(bits(57));
  }
}
