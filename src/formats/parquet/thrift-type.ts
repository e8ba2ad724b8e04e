/** How a value stands in Thrift's compact protocol (thrift-compact-protocol.md of Apache Thrift). */
export const ThriftType = {
  /** In a struct a bool is its field's type; in a list it is a byte of these. */
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
} as const;
export type ThriftType = (typeof ThriftType)[keyof typeof ThriftType];

/** Ends a struct. */
export const STOP = 0;
/** A list of this many elements, and more, has its size behind its header. */
export const LONG_LIST = 15;
