import { BinlogFields, type Broken } from "./fields.ts";

/**
 * What `binlog_row_metadata = FULL` adds to a TABLE_MAP event: fields of type 1, length, value
 * (`Table_map_event::Optional_metadata_field_type`). Lists are per column of the kind that the field is about, in
 * order.
 */
export interface TableMetadata {
  /** Of numeric columns; most significant bit first. */
  readonly unsigned: readonly boolean[];
  /** Numbers of collations, of character columns, and of ENUM and SET columns. */
  readonly collations: CollationList;
  readonly memberCollations: CollationList;
  readonly names: readonly string[];
  readonly setMembers: readonly (readonly Uint8Array[])[];
  readonly enumMembers: readonly (readonly Uint8Array[])[];
  readonly geometryTypes: readonly number[];
  /** Indices of columns; empty: none, or one on the first characters of a column. */
  readonly key: readonly number[];
  /** Of all columns; null: not said. */
  readonly visible: readonly boolean[] | null;
}

/** By place among the columns that the list is about; 0: not said. */
export type CollationList = (place: number) => number;

const Field = {
  signedness: 1,
  defaultCollation: 2,
  collations: 3,
  names: 4,
  setMembers: 5,
  enumMembers: 6,
  geometryTypes: 7,
  key: 8,
  keyWithPrefixes: 9,
  defaultMemberCollation: 10,
  memberCollations: 11,
  visibility: 12,
} as const;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Fields that are not known are passed over: they add to what the others say. */
export function readMetadata(fields: BinlogFields, broken: Broken): TableMetadata {
  const found: Mutable<TableMetadata> = {
    unsigned: [],
    collations: () => 0,
    memberCollations: () => 0,
    names: [],
    setMembers: [],
    enumMembers: [],
    geometryTypes: [],
    key: [],
    visible: null,
  };
  while (fields.left > 0) {
    const type = fields.uint8();
    const length = fields.packed();
    const start = fields.skip(length);
    readField(found, type, new BinlogFields(fields.bytes, start, start + length, broken));
  }
  return found;
}

function readField(found: Mutable<TableMetadata>, type: number, value: BinlogFields): void {
  switch (type) {
    case Field.signedness:
      found.unsigned = bits(value);
      return;
    case Field.defaultCollation:
      found.collations = defaultCollations(value);
      return;
    case Field.collations:
      found.collations = listed(packedNumbers(value));
      return;
    case Field.names:
      while (value.left > 0) (found.names as string[]).push(value.text(value.packed()));
      return;
    case Field.setMembers:
      found.setMembers = memberLists(value);
      return;
    case Field.enumMembers:
      found.enumMembers = memberLists(value);
      return;
    case Field.geometryTypes:
      found.geometryTypes = packedNumbers(value);
      return;
    case Field.key:
      found.key = packedNumbers(value);
      return;
    case Field.keyWithPrefixes:
      found.key = wholeKey(packedNumbers(value));
      return;
    case Field.defaultMemberCollation:
      found.memberCollations = defaultCollations(value);
      return;
    case Field.memberCollations:
      found.memberCollations = listed(packedNumbers(value));
      return;
    case Field.visibility:
      found.visible = bits(value);
      return;
  }
}

/** Each column's index, and how much of it the key has; 0: all. */
function wholeKey(parts: readonly number[]): readonly number[] {
  return parts.some((part, i) => i % 2 === 1 && part > 0) ? [] : parts.filter((_, i) => i % 2 === 0);
}

function bits(value: BinlogFields): boolean[] {
  const found: boolean[] = [];
  while (value.left > 0) for (let byte = value.uint8(), bit = 7; bit >= 0; bit--) found.push(((byte >> bit) & 1) === 1);
  return found;
}

function packedNumbers(value: BinlogFields): number[] {
  const numbers: number[] = [];
  while (value.left > 0) numbers.push(value.packed());
  return numbers;
}

function listed(collations: readonly number[]): CollationList {
  return (place) => collations[place] ?? 0;
}

/** The collation of most columns, then place and collation of each other one. */
function defaultCollations(value: BinlogFields): CollationList {
  const [most = 0, ...others] = packedNumbers(value);
  const byPlace = new Map<number, number>();
  for (let i = 0; i + 1 < others.length; i += 2) byPlace.set(others[i]!, others[i + 1]!);
  return (place) => byPlace.get(place) ?? most;
}

/** Per column: how many, then each behind its length. */
function memberLists(value: BinlogFields): Uint8Array[][] {
  const lists: Uint8Array[][] = [];
  while (value.left > 0) {
    const members: Uint8Array[] = [];
    for (let left = value.packed(); left > 0; left--) {
      const length = value.packed();
      const start = value.skip(length);
      members.push(value.bytes.slice(start, start + length));
    }
    lists.push(members);
  }
  return lists;
}
