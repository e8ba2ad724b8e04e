import type { LogicalType } from "../core/logical-type.ts";
import type { ValueRules } from "../core/source.ts";

/** One small integer per way of decoding: what the hot loops switch on. `json` decodes as `text`. */
export const CellCode = {
  bool: 0,
  int16: 1,
  int32: 2,
  int64: 3,
  float32: 4,
  float64: 5,
  decimal: 6,
  text: 7,
  bytes: 8,
  uuid: 9,
  date: 10,
  time: 11,
  timestamp: 12,
} as const;
export type CellCode = (typeof CellCode)[keyof typeof CellCode];

/** How a value ended. Only after `done` has a cell been appended; nothing is thrown, so that the hot loops stay flat. */
export const Outcome = {
  done: 0,
  /** Not the form of that type: our mistake, or a server's that we do not know. */
  malformed: 1,
  /** A value that the column's type cannot hold: the policy decides. */
  unrepresentable: 2,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** A column's type, resolved for the hot loops. */
export interface CellType {
  readonly code: CellCode;
  readonly precision: number;
  readonly scale: number;
  /** timestamp: text has the UTC offset. */
  readonly zone: boolean;
  /** date, timestamp: ±infinity go to the sink as they are. */
  readonly infinity: boolean;
}

export function cellType(type: LogicalType, rules: ValueRules): CellType {
  const decimal = type.kind === "decimal" ? type : { precision: 0, scale: 0 };
  const { dateInfinity, timestampInfinity } = rules.nonFinite;
  return {
    code: cellCode(type),
    precision: decimal.precision,
    scale: decimal.scale,
    zone: type.kind === "timestamp" && type.zone,
    infinity: type.kind === "date" ? dateInfinity : timestampInfinity,
  };
}

function cellCode(type: LogicalType): CellCode {
  switch (type.kind) {
    case "int":
      return type.bits === 16 ? CellCode.int16 : type.bits === 32 ? CellCode.int32 : CellCode.int64;
    case "float":
      return type.bits === 32 ? CellCode.float32 : CellCode.float64;
    case "json":
      return CellCode.text;
    default:
      return CellCode[type.kind];
  }
}
