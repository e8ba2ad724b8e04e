import type { Column } from "../../core/column.ts";
import { MillraceError } from "../../core/errors.ts";
import { fixedWidth, type LogicalType, sameType, typeLabel } from "../../core/logical-type.ts";
import type { FileCells, FileColumn, NestedRows, TextLists } from "../file-schema.ts";
import type { ArrowBody } from "./body.ts";

const EMPTY: Uint8Array = new Uint8Array(0);
const NO_ITEMS: Int32Array = new Int32Array(1);

/** Adds a column's `length` cells to the body, in the order that Arrow wants; the number of nulls among them. */
export function addCells(body: ArrowBody, column: FileColumn, cells: FileCells, length: number): number {
  const { type } = column;
  if (cells === null) {
    addNulls(body, column, length);
    return length;
  }
  if (type.kind === "texts") return addLists(body, cells as TextLists, length);
  if (type.kind === "row") return addRows(body, type.fields, cells as NestedRows, length);
  return addColumn(body, type, cells as Column, length);
}

function addColumn(body: ArrowBody, type: LogicalType, column: Column, length: number): number {
  if (column.length !== length || !isWithin(column.type, type))
    throw new MillraceError(
      "INTERNAL",
      `${length} cells of ${typeLabel(type)} are due in a file, and these are ${column.length} of ${typeLabel(column.type)}`,
    );
  const nulls = addNode(body, length, column.validity);
  if (column.offsets !== null) addTexts(body, column.offsets, column.values, length);
  else body.view(column.values.subarray(0, valueBytes(type, length)));
  return nulls;
}

/** Whether cells of the type are laid out as those of the other, and none is beyond what it can hold. */
function isWithin(type: LogicalType, file: LogicalType): boolean {
  if (type.kind !== "decimal" || file.kind !== "decimal") return sameType(type, file);
  return type.scale === file.scale && type.precision <= file.precision;
}

function addTexts(body: ArrowBody, offsets: Int32Array, values: Uint8Array, length: number): void {
  body.offsets(offsets.subarray(0, length + 1));
  body.view(values.subarray(offsets[0], offsets[length]));
}

/** Of the items, those between the first and the last offset. */
function addLists(body: ArrowBody, { offsets, items, validity }: TextLists, length: number): number {
  const nulls = addNode(body, length, validity);
  body.offsets(offsets.subarray(0, length + 1));
  const [first, end] = [offsets[0]!, offsets[length]!];
  addNode(body, end - first, null);
  addTexts(body, items.offsets!.subarray(first, end + 1), items.values, end - first);
  return nulls;
}

function addRows(body: ArrowBody, fields: readonly FileColumn[], rows: NestedRows, length: number): number {
  const nulls = addNode(body, length, rows.validity);
  for (const [i, field] of fields.entries()) addCells(body, field, rows.children[i]!, length);
  return nulls;
}

/** Nothing but nulls; in a required field, which is part of a row that is null then, something. */
function addNulls(body: ArrowBody, { type, required }: FileColumn, length: number): void {
  body.node(length, required ? 0 : length);
  if (required) body.view(EMPTY);
  else body.zeros((length + 7) >> 3);
  if (type.kind === "row") {
    for (const field of type.fields) addNulls(body, field, length);
    return;
  }
  if (type.kind !== "texts" && fixedWidth(type) >= 0) {
    body.zeros(valueBytes(type, length));
    return;
  }
  body.zeros((length + 1) * 4);
  if (type.kind === "texts") {
    addNode(body, 0, null);
    body.offsets(NO_ITEMS);
  }
  body.view(EMPTY);
}

function valueBytes(type: LogicalType, length: number): number {
  return type.kind === "bool" ? (length + 7) >> 3 : length * fixedWidth(type);
}

/** The node and its first buffer. */
function addNode(body: ArrowBody, length: number, validity: Uint8Array | null): number {
  const nulls = validity === null ? 0 : nullsOf(validity, length);
  body.node(length, nulls);
  body.view(nulls === 0 ? EMPTY : validity!.subarray(0, (length + 7) >> 3));
  return nulls;
}

/** Hot: every eighth cell. */
function nullsOf(validity: Uint8Array, length: number): number {
  let set = 0;
  const whole = length >> 3;
  for (let i = 0; i < whole; i++) set += BITS_SET[validity[i]!]!;
  if ((length & 7) !== 0) set += BITS_SET[validity[whole]! & ((1 << (length & 7)) - 1)]!;
  return length - set;
}

const BITS_SET: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);
