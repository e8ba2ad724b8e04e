import { decimalBytes } from "./decimal.ts";
import { BinlogFields, type Broken } from "./fields.ts";
import { charsetOfCollation } from "../charset/collation-charset.ts";
import type { Flavour } from "../position.ts";
import { readMetadata, type TableMetadata } from "./table-map-metadata.ts";
import { WireType } from "./wire-type.ts";

/** As many as MySQL allows in a table. */
const COLUMNS_MAX = 4096;
const DECIMAL_DIGITS_MAX = 65;

const FIXED_WIDTHS: ReadonlyMap<number, number> = new Map([
  [WireType.tiny, 1],
  [WireType.short, 2],
  [WireType.int24, 3],
  [WireType.long, 4],
  [WireType.longlong, 8],
  [WireType.year, 1],
  [WireType.date, 3],
  [WireType.newDate, 3],
  [WireType.time, 3],
  [WireType.timestamp, 4],
  [WireType.datetime, 8],
]);

/** Types that have a bit in the list of signs. */
const NUMBER_TYPES: ReadonlySet<number> = new Set([
  WireType.tiny,
  WireType.short,
  WireType.int24,
  WireType.long,
  WireType.longlong,
  WireType.year,
  WireType.float,
  WireType.double,
  WireType.newDecimal,
]);

/** Types that have a collation in the list of those, on both servers. */
const TEXT_TYPES: readonly number[] = [
  WireType.varchar,
  WireType.varString,
  WireType.string,
  WireType.tinyBlob,
  WireType.mediumBlob,
  WireType.longBlob,
  WireType.blob,
  WireType.varcharCompressed,
  WireType.blobCompressed,
];
/** Each server has one more, though its values are bytes. */
const LISTED_TYPES: Readonly<Record<Flavour, ReadonlySet<number>>> = {
  mysql: new Set([...TEXT_TYPES, WireType.vector]),
  mariadb: new Set([...TEXT_TYPES, WireType.geometry]),
};

/** A column as a TABLE_MAP event has it. */
export interface MapColumn {
  /** Empty: not said. */
  readonly name: string;
  /** One of `WireType`; ENUM and SET under their own, though they travel as strings. */
  readonly wireType: number;
  /** By type: bytes of a CHAR or VARCHAR, of a length prefix, bits, fraction digits, precision × 256 + scale. */
  readonly meta: number;
  /** Bytes of every value; where it is negative, so many (as a positive number) hold each value's length before it. */
  readonly width: number;
  readonly nullable: boolean;
  readonly unsigned: boolean;
  /** Of text, ENUM and SET; `binary` for bytes; null: none, or a collation that is not known. */
  readonly charset: string | null;
  /** The collation's number; 0: none. */
  readonly collation: number;
  /** Of ENUM and SET, in the bytes of `charset`. */
  readonly members: readonly Uint8Array[];
  /** SELECT * leaves it out. */
  readonly visible: boolean;
  /** `point` is 1 and so on, as in WKB; null: no geometry. */
  readonly geometryType: number | null;
  /**
   * An update that does not have it leaves it as it was. MariaDB's updates have no generated columns, whatever the image and
   * whatever becomes of them, and which those are the log does not say.
   */
  readonly staysWhereAbsent: boolean;
}

/** A table's shape as the log has it from here on. */
export interface TableMap {
  readonly namespace: string;
  readonly name: string;
  readonly columns: readonly MapColumn[];
  /**
   * Indices into `columns` of the key, in its order: the primary key, or the unique index that both servers take for it;
   * empty: none, or one on the first characters of a column.
   */
  readonly key: readonly number[];
  /** It is a map with full metadata: names, labels, signs and the key are said. */
  readonly named: boolean;
  readonly hasSigns: boolean;
}

/** The table's name, which stands at the beginning of the body behind the flags. */
export function readTableName(b: Uint8Array, start: number, end: number, broken: Broken): [string, string] {
  const fields = new BinlogFields(b, start, end, broken);
  return [fields.terminatedText(), fields.terminatedText()];
}

/**
 * The body of a TABLE_MAP event, from behind its table id and flags (`mysql/binlog/event/rows_event.h`,
 * `Table_map_event`): names, types, metadata of the types, nullability, and what `binlog_row_metadata` adds: names are
 * empty where it is not FULL.
 */
export function readTableMap(b: Uint8Array, start: number, end: number, flavour: Flavour, broken: Broken): TableMap {
  const fields = new BinlogFields(b, start, end, broken);
  const namespace = fields.terminatedText();
  const name = fields.terminatedText();
  const count = fields.packed();
  if (count > COLUMNS_MAX) throw broken("a table of too many columns");
  const types = fields.skip(count);
  const metaBytes = fields.packed();
  const metas = fields.skip(metaBytes);
  const metaFields = new BinlogFields(b, metas, metas + metaBytes, broken);
  const wires = Array.from({ length: count }, (_, i) => readWire(b[types + i]!, metaFields, broken));
  const nullBits = fields.skip((count + 7) >> 3);
  const metadata = readMetadata(fields, broken);
  const named = metadata.names.length > 0;
  if (named && metadata.names.length !== count) throw broken(`too few names of columns for table ${namespace}.${name}`);
  if (metadata.key.some((column) => column >= count)) throw broken("a key of columns that are not there");
  const of = new MetadataCursor(metadata, LISTED_TYPES[flavour]);
  const columns = wires.map((wire, i) => ({
    ...wire,
    ...of.next(wire.wireType),
    name: metadata.names[i] ?? "",
    nullable: (b[nullBits + (i >> 3)]! & (1 << (i & 7))) !== 0,
    visible: metadata.visible?.[i] ?? true,
    staysWhereAbsent: flavour === "mysql",
  }));
  return { namespace, name, columns, key: metadata.key, named, hasSigns: metadata.unsigned.length > 0 };
}

type Wire = Pick<MapColumn, "wireType" | "meta" | "width">;

/** What a column's type and its metadata say of its values' form. */
function readWire(type: number, metas: BinlogFields, broken: Broken): Wire {
  const fixed = FIXED_WIDTHS.get(type);
  if (fixed !== undefined) return { wireType: type, meta: 0, width: fixed };
  switch (type) {
    case WireType.float:
    case WireType.double: {
      const meta = metas.uint8();
      return { wireType: type, meta, width: type === WireType.float ? 4 : 8 };
    }
    case WireType.timestamp2:
      return fractioned(type, 4, metas.uint8(), broken);
    case WireType.datetime2:
      return fractioned(type, 5, metas.uint8(), broken);
    case WireType.time2:
      return fractioned(type, 3, metas.uint8(), broken);
    case WireType.varchar:
    case WireType.varString:
    case WireType.varcharCompressed: {
      const meta = metas.uint16();
      return { wireType: type, meta, width: meta > 255 ? -2 : -1 };
    }
    case WireType.bit: {
      const meta = metas.uint8() + metas.uint8() * 8;
      return { wireType: type, meta, width: (meta + 7) >> 3 };
    }
    case WireType.newDecimal: {
      const precision = metas.uint8();
      const scale = metas.uint8();
      if (precision < 1 || precision > DECIMAL_DIGITS_MAX || scale > precision) throw broken("a decimal of no digits");
      return { wireType: type, meta: precision * 256 + scale, width: decimalBytes(precision, scale) };
    }
    case WireType.blob:
    case WireType.tinyBlob:
    case WireType.mediumBlob:
    case WireType.longBlob:
    case WireType.blobCompressed:
    case WireType.json:
    case WireType.geometry:
    case WireType.vector: {
      const meta = metas.uint8();
      if (meta < 1 || meta > 4) throw broken("a length of no bytes");
      return { wireType: type, meta, width: -meta };
    }
    case WireType.string:
    case WireType.enum:
    case WireType.set:
      return stringWire(metas.uint8(), metas.uint8(), broken);
    default:
      throw broken(`a column of type ${type}`);
  }
}

function fractioned(wireType: number, whole: number, digits: number, broken: Broken): Wire {
  if (digits > 6) throw broken("a time of more than six digits");
  return { wireType, meta: digits, width: whole + ((digits + 1) >> 1) };
}

/**
 * CHAR, BINARY, ENUM and SET: the first byte is the real type. Bits 8 and 9 of a CHAR's length in bytes are put into
 * bits 4 and 5 of it, inverted, since those of all real types are set.
 */
function stringWire(first: number, second: number, broken: Broken): Wire {
  const type = first | 0x30;
  if (type === WireType.enum || type === WireType.set) {
    if (second < 1 || second > 8 || (type === WireType.enum && second > 2)) throw broken("a set of no bytes");
    return { wireType: type, meta: second, width: second };
  }
  if (type !== WireType.string) throw broken(`a string of type ${type}`);
  const meta = (((first & 0x30) ^ 0x30) << 4) | second;
  return { wireType: type, meta, width: meta > 255 ? -2 : -1 };
}

type Said = Pick<MapColumn, "unsigned" | "charset" | "collation" | "members" | "geometryType">;

/** Goes through the lists of the metadata, each of which is about columns of some types alone. */
class MetadataCursor {
  readonly #metadata: TableMetadata;
  readonly #textTypes: ReadonlySet<number>;
  #numbers = 0;
  #texts = 0;
  #listed = 0;
  #enums = 0;
  #sets = 0;
  #geometries = 0;

  constructor(metadata: TableMetadata, textTypes: ReadonlySet<number>) {
    this.#metadata = metadata;
    this.#textTypes = textTypes;
  }

  /** Of the next column. */
  next(wireType: number): Said {
    const { unsigned, collations, memberCollations, enumMembers, setMembers, geometryTypes } = this.#metadata;
    const isEnum = wireType === WireType.enum;
    const isListed = isEnum || wireType === WireType.set;
    const isText = this.#textTypes.has(wireType);
    const collation = isText ? collations(this.#texts++) : isListed ? memberCollations(this.#listed++) : 0;
    return {
      unsigned: NUMBER_TYPES.has(wireType) && unsigned[this.#numbers++] === true,
      collation,
      charset: collation === 0 ? null : charsetOfCollation(collation),
      members: !isListed ? [] : ((isEnum ? enumMembers[this.#enums++] : setMembers[this.#sets++]) ?? []),
      geometryType: wireType === WireType.geometry ? (geometryTypes[this.#geometries++] ?? null) : null,
    };
  }
}
