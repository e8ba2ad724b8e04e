import type { Column } from "../../core/column.ts";
import { MillraceError } from "../../core/errors.ts";
import type { ValueRules } from "../../core/source.ts";
import type { TableSchema } from "../../core/table-schema.ts";

const todo = (): never => {
  throw new MillraceError("INTERNAL", "not written yet");
};

/**
 * Decodes the stream of a binary COPY whose select list is `selectExpression` of each of the schema's columns, in order.
 * Value failures throw VALUE_UNREPRESENTABLE or DECODE_FAILED, which name table and column; the decoder is then of no
 * further use.
 */
export class CopyDecoder {
  /** Rows decoded since the last `take`, and the bytes their columns use. */
  rows: number = 0;
  /** The trailer has been seen: every row was decoded. */
  finished: boolean = false;

  constructor(schema: TableSchema, rules: ValueRules) {
    todo();
    void schema;
    void rules;
  }

  get bytes(): number {
    return todo();
  }

  /** Any slice of the COPY stream (the contents of CopyData messages). The bytes are not kept. */
  push(bytes: Uint8Array, start: number, end: number): void {
    todo();
    void [bytes, start, end];
  }

  /**
   * Bytes of the connection itself: decodes CopyData messages up to `end`, or up to the first message that is none, and
   * returns where it stopped. Messages may be split anywhere between calls. The bytes are not kept.
   */
  pushFrames(bytes: Uint8Array, start: number, end: number): number {
    void [bytes, start, end];
    return todo();
  }

  /** The columns of the rows so far (`rows` long); the next ones begin. A row of which only a part was seen stays. */
  take(): Column[] {
    return todo();
  }
}
