import type { LogicalType } from "../../core/logical-type.ts";
import type { ValueRules } from "../../core/source.ts";
import { quoteIdentifier } from "../../core/table-schema.ts";

/**
 * A column's type as the catalog has it. `baseOid` and `typmod` are those that the values follow: of a domain, its base
 * type (through any number of domains) and the typmod that the innermost domain with one gives it; else the column's own.
 */
export interface PgType {
  readonly oid: number;
  readonly baseOid: number;
  readonly typmod: number;
}

/** Types below this OID are built in: their casts are known. */
const FIRST_USER_OID = 16_384;

const NUMERIC = 1700;
const JSONB = 3802;

/** Built-in types whose values go over the wire, binary, as our own decoders read them (numeric depends on its typmod). */
const NATIVE: ReadonlyMap<number, LogicalType> = new Map<number, LogicalType>([
  [16, { kind: "bool" }],
  [17, { kind: "bytes" }],
  [19, { kind: "text" }], // name
  [20, { kind: "int", bits: 64 }],
  [21, { kind: "int", bits: 16 }],
  [23, { kind: "int", bits: 32 }],
  [25, { kind: "text" }],
  [114, { kind: "json" }],
  [700, { kind: "float", bits: 32 }],
  [701, { kind: "float", bits: 64 }],
  [1042, { kind: "text" }], // bpchar, with its blanks, as its output function has them
  [1043, { kind: "text" }], // varchar
  [1082, { kind: "date" }],
  [1083, { kind: "time" }],
  [1114, { kind: "timestamp", zone: false }],
  [1184, { kind: "timestamp", zone: true }],
  [2950, { kind: "uuid" }],
]);

/** Built-in types whose cast to text is a function of its own, not the output function: inet and cidr add a netmask. */
const CAST_DIFFERS: ReadonlySet<number> = new Set([650, 869]);

/**
 * What a column becomes (docs/types.md). Whatever has no exact logical type, or may hold a value that the sink's type
 * cannot while the policy is `text`, is text: the server's output function, by both paths.
 */
export function columnType(pgType: PgType, rules: ValueRules): LogicalType {
  if (pgType.baseOid === JSONB) return { kind: "json" };
  const type = pgType.baseOid === NUMERIC ? numericType(pgType.typmod) : NATIVE.get(pgType.baseOid);
  if (type === undefined || (rules.unrepresentable === "text" && !holdsEverything(type, rules)))
    return { kind: "text" };
  return type;
}

function numericType(typmod: number): LogicalType {
  if (typmod < 4) return { kind: "text" };
  const precision = ((typmod - 4) >> 16) & 0xffff;
  const scale = (((typmod - 4) & 0x7ff) ^ 0x400) - 0x400; // 11 bits, signed since PostgreSQL 15
  return precision <= 38 && scale >= 0 && scale <= precision ? { kind: "decimal", precision, scale } : { kind: "text" };
}

function holdsEverything(type: LogicalType, rules: ValueRules): boolean {
  if (type.kind === "decimal") return rules.nonFinite.decimalNaN;
  if (type.kind === "date") return rules.nonFinite.dateInfinity;
  if (type.kind === "timestamp") return rules.nonFinite.timestampInfinity;
  return true;
}

/**
 * What stands for the column in the select list of a chunk's binary COPY: the bare column where `CopyDecoder` reads its
 * binary form, else the text that the type's output function makes, which is also what pgoutput sends. `logical` is what
 * `columnType` said.
 */
export function selectExpression(column: string, pgType: PgType, logical: LogicalType): string {
  const name = quoteIdentifier(column);
  const { baseOid } = pgType;
  if (baseOid === NUMERIC ? logical.kind === "decimal" : NATIVE.get(baseOid)?.kind === logical.kind) return name;
  if (baseOid < FIRST_USER_OID && !CAST_DIFFERS.has(baseOid)) return `${name}::text`;
  // A cast of somebody's own may say something else than the output function, which `format` calls. A composite of
  // nulls `IS NULL` without being one, hence num_nulls.
  return `CASE WHEN num_nulls(${name}) = 0 THEN format('%s', ${name}) END`;
}
