import type { ChangeBatch } from "../../../core/change-batch.ts";
import { isAbsent, isNull } from "../../../core/column.ts";
import { MillraceError } from "../../../core/errors.ts";
import type { LogicalType } from "../../../core/logical-type.ts";
import type { Transaction } from "../../../core/position.ts";
import { keyColumns, type TableSchema } from "../../../core/table-schema.ts";
import { OpenBatch } from "../../../decoding/open-batch.ts";
import type { Broken } from "./fields.ts";
import { type BinlogRowWriter, rowWriter } from "./row-writer.ts";
import { cellText } from "../cell-text.ts";
import type { Charsets } from "../charset/charset.ts";
import { fittedMap } from "./map-fit.ts";
import type { MysqlTypeRules } from "../mysql-type.ts";
import { copiedColumns } from "../history/online-copy.ts";
import { type RowsForm, RowsReader, type RowTaker } from "./rows-event.ts";
import { historyOf } from "../history/table-history.ts";
import type { TableMap } from "./table-map.ts";

/**
 * Looks at the rows that are written into a table's copy. When it takes the table's place, rows that are here already
 * get what the statement said of the new columns: so no row of the copy may have anything else in them.
 */
export class CopiedRows {
  readonly #schema: TableSchema;
  readonly #writer: BinlogRowWriter;
  readonly #reader = new RowsReader();

  private constructor(schema: TableSchema, writer: BinlogRowWriter) {
    this.#schema = schema;
    this.#writer = writer;
  }

  /** Of a table whose copy has that map. A text: its rows cannot be read. */
  static of(table: TableSchema, map: TableMap, rules: MysqlTypeRules, charsets: Charsets): CopiedRows | string {
    const copy = historyOf(table)?.copy ?? null;
    if (copy === null) return "is not known";
    const fitted = fittedMap(map, copy.table);
    if (typeof fitted === "string") return `has rows that do not fit it: ${fitted}`;
    const added = copiedColumns(table, copy, rules).filter(({ name }) => copy.added.some((one) => one.name === name));
    const key = keyColumns(table);
    const schema = { ...table, columns: [...key, ...added], key: key.map((_, i) => i) };
    const writer = rowWriter(fitted, schema, { ...rules, beforeImages: false }, charsets);
    return writer instanceof MillraceError ? `cannot be read: ${writer.message}` : new CopiedRows(schema, writer);
  }

  /** The first new column in which a row of the event has another value; null: none has. */
  otherValue(
    form: RowsForm,
    b: Uint8Array,
    start: number,
    end: number,
    transaction: Transaction,
    broken: Broken,
  ): string | null {
    if (form.kind === "delete") return null;
    const batch = new OpenBatch(this.#schema);
    const writer = this.#writer;
    const reader = this.#reader;
    const { images } = reader;
    let isRead = true;
    const taker: RowTaker = {
      row: (from, old, row) => {
        if (form.kind === "update") writer.update(images, old, row, reader.complete, from);
        else writer.insert(images, row, reader.complete);
      },
      write: (from) => (isRead = writer.write(batch, images, from, transaction)),
    };
    reader.read(b, start, end, form, writer.map, writer.widths, taker, broken);
    return isRead ? this.#otherColumn(batch.close()) : writer.failedName;
  }

  #otherColumn({ columns, length }: ChangeBatch): string | null {
    for (const [i, column] of columns.entries()) {
      if (i < this.#schema.key.length) continue;
      const { name, type, existingRowsDefault } = this.#schema.columns[i]!;
      for (let row = 0; row < length; row++) {
        // What an image leaves out is as it was, or has the default.
        if (isAbsent(column, row)) continue;
        const text = isNull(column, row) ? null : cellText(column, row);
        if (!sameValue(type, text, existingRowsDefault)) return name;
      }
    }
    return null;
  }
}

/** `cell` as `cellText` has it, `value` as the server writes a default. */
function sameValue(type: LogicalType, cell: string | null, value: string | null): boolean {
  if (cell === null || value === null) return cell === value;
  switch (type.kind) {
    case "bool":
      return (cell === "1") === (value === "true");
    case "float":
      return Number(cell) === (type.bits === 32 ? Math.fround(Number(value)) : Number(value));
    case "decimal":
      return plainDecimal(cell) === plainDecimal(value);
    case "timestamp":
      return cell === (value.includes(".") ? value.replace(/\.?0+$/, "") : value);
    default:
      return cell === value;
  }
}

/** `-07.50` → `-7.5`. */
function plainDecimal(text: string): string {
  const [, sign = "", whole = "0", digits = ""] = /^(-?)0*([0-9]+?)(?:\.([0-9]*?)0*)?$/.exec(text) ?? [];
  return `${sign}${whole}.${digits}`;
}
