/** The kinds of values in MySQL's binary JSON (`sql-common/json_binary.h`). */
export const JsonKind = {
  smallObject: 0x00,
  largeObject: 0x01,
  smallArray: 0x02,
  largeArray: 0x03,
  literal: 0x04,
  int16: 0x05,
  uint16: 0x06,
  int32: 0x07,
  uint32: 0x08,
  int64: 0x09,
  uint64: 0x0a,
  double: 0x0b,
  string: 0x0c,
  opaque: 0x0f,
} as const;

/** MySQL refuses a document that is deeper. */
export const JSON_DEPTH_MAX = 100;

/** Whether a value in a container stands where else its place does. */
export function isInlineJson(type: number, large: boolean): boolean {
  if (type === JsonKind.literal || type === JsonKind.int16 || type === JsonKind.uint16) return true;
  return large && (type === JsonKind.int32 || type === JsonKind.uint32);
}
