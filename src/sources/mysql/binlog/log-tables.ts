import { MillraceError } from "../../../core/errors.ts";
import type { Transaction } from "../../../core/position.ts";
import { tableId, type TableId, type TableSchema, withDefinition } from "../../../core/table-schema.ts";
import type { LogOutput } from "../../../decoding/log-output.ts";
import type { TableLog } from "../../../decoding/table-log.ts";
import { HEADER_BYTES } from "./event.ts";
import { BinlogFields, type Broken, readUint32, readUint48 } from "./fields.ts";
import { rowWriter } from "./row-writer.ts";
import type { Charsets } from "../charset/charset.ts";
import { CopiedRows } from "./copied-rows.ts";
import { type LoggedTable, sameBytes } from "./logged-table.ts";
import type { MysqlTypeRules } from "../mysql-type.ts";
import { fittedMap } from "./map-fit.ts";
import { withCopyTrouble } from "../history/online-copy.ts";
import { originalsOfCopy } from "../history/online-names.ts";
import type { Flavour } from "../position.ts";
import { rowsBody, type RowsForm, RowsReader, type RowTaker } from "./rows-event.ts";
import { historyOf, isInSnapshot } from "../history/table-history.ts";
import { readTableMap, readTableName, type TableMap } from "./table-map.ts";

/**
 * What the catalog says to a table of the log. `same`: the known schema stands. `schema`:
 * columns were added, this is the next version. `stop`: this table of ours cannot go on.
 */
export type TableAnswer =
  | { readonly kind: "same" }
  | { readonly kind: "schema"; readonly schema: TableSchema }
  | { readonly kind: "stop"; readonly table: TableId; readonly error: MillraceError };

export interface LogTablesOptions {
  readonly flavour: Flavour;
  readonly rules: MysqlTypeRules;
  /** Whether a copy that a tool puts in a table's place is followed. */
  readonly followCopies: boolean;
  /**
   * Asked before the first row of a table of ours whose table map names its columns, and they are not those of its
   * definition, or that is not known. `known` is the decoder's schema for it.
   */
  readonly lookup: (map: TableMap, known: TableSchema) => Promise<TableAnswer>;
  readonly charsets: Charsets;
  readonly tables: ReadonlyMap<TableId, TableLog>;
  readonly output: LogOutput;
  readonly broken: Broken;
}

type Told = Extract<LoggedTable, { kind: "told" }>;
type Delivered = Extract<LoggedTable, { kind: "delivered" }>;

/** Stands in rows events that have no rows, and only end a statement. */
const NO_TABLE = 0xff_ffff;

/** A server that opens its tables anew, for want of a place in its cache, gives them another id each time. */
const IDS_MAX = 4096;
const IGNORED: LoggedTable = { kind: "ignored", bytes: new Uint8Array(0) };

/** The tables that the log has described, and the rows of those that are delivered. */
export class LogTables {
  readonly #options: LogTablesOptions;
  readonly #byId = new Map<number, LoggedTable>();
  /** The last description of each table of ours, whatever its id was. */
  readonly #byTable = new Map<TableLog, LoggedTable>();
  readonly #reader = new RowsReader();

  constructor(options: LogTablesOptions) {
    this.#options = options;
  }

  /** A new file begins: ids mean other tables. */
  forget(): void {
    this.#byId.clear();
  }

  /** A transaction begins: each of its statements describes its tables again. */
  begin(): void {
    if (this.#byId.size > IDS_MAX) this.forget();
  }

  /** A statement alters the table: what the log has said of it holds no more, though it may say the same again. */
  alter(table: TableLog, schema: TableSchema, transaction: Transaction): void {
    this.#byTable.delete(table);
    for (const [id, logged] of this.#byId)
      if (logged.kind !== "ignored" && logged.table === table) this.#byId.delete(id);
    if (!this.#options.output.changeSchema(table, schema, transaction))
      this.#options.output.stop(table, transaction, largeTransaction(table, transaction.id));
  }

  /**
   * A TABLE_MAP event. `post`: bytes of its post-header, of which the first are the table's id and the last two flags.
   */
  tableMap(b: Uint8Array, start: number, end: number, post: number): void {
    const { broken, tables, flavour } = this.#options;
    const [id, body] = this.#idAndBody(b, start, end, post);
    const known = this.#byId.get(id);
    if (known !== undefined && sameBytes(known.bytes, b, body, end)) return;
    const [namespace, name] = readTableName(b, body, end, broken);
    const table = tables.get(tableId(namespace, name));
    if (table === undefined || table.ended) {
      this.#byId.set(id, this.#beside(namespace, name, b.slice(body, end)));
      return;
    }
    const last = this.#byTable.get(table);
    if (last !== undefined && sameBytes(last.bytes, b, body, end)) {
      this.#byId.set(id, last);
      return;
    }
    this.#set(id, { kind: "told", bytes: b.slice(body, end), map: readTableMap(b, body, end, flavour, broken), table });
  }

  /** A table that is not ours; a copy of one that is, is looked at. */
  #beside(namespace: string, name: string, bytes: Uint8Array): LoggedTable {
    const { tables, rules, charsets, flavour, broken, followCopies } = this.#options;
    const ignored: LoggedTable = { kind: "ignored", bytes };
    if (!followCopies) return ignored;
    for (const original of originalsOfCopy(name)) {
      const table = tables.get(tableId(namespace, original));
      const copy = table === undefined || table.ended ? null : (historyOf(table.schema)?.copy ?? null);
      if (copy?.name !== name || copy.trouble !== null || copy.added.length === 0) continue;
      const map = readTableMap(bytes, 0, bytes.length, flavour, broken);
      return { kind: "copy", bytes, table: table!, rows: CopiedRows.of(table!.schema, map, rules, charsets) };
    }
    return ignored;
  }

  #set(id: number, logged: Told | Delivered): void {
    this.#byId.set(id, logged);
    this.#byTable.set(logged.table, logged);
  }

  #idAndBody(b: Uint8Array, start: number, end: number, post: number): readonly [id: number, body: number] {
    if (post < 6) throw this.#options.broken("a header too short for a table's id");
    const at = new BinlogFields(b, start + HEADER_BYTES, end, this.#options.broken).skip(post);
    return [post === 6 ? readUint32(b, at) : readUint48(b, at), at + post];
  }

  /** The table of a rows event, or of a TABLE_MAP event after it was read; null: none that is delivered. */
  delivered(b: Uint8Array, start: number, end: number, post: number): TableLog | null {
    const [id] = this.#idAndBody(b, start, end, post);
    const logged = this.#find(id);
    return logged.kind === "ignored" || logged.table.ended ? null : logged.table;
  }

  #find(id: number): LoggedTable {
    const logged = this.#byId.get(id) ?? (id === NO_TABLE ? IGNORED : undefined);
    if (logged === undefined) throw this.#options.broken("rows of a table that it has not described");
    return logged;
  }

  /** A rows event. A promise: a lookup is under way, and the bytes have to stay until it resolves. */
  rows(
    form: RowsForm,
    b: Uint8Array,
    start: number,
    end: number,
    post: number,
    transaction: Transaction,
  ): Promise<void> | null {
    const [id] = this.#idAndBody(b, start, end, post);
    const logged = this.#find(id);
    if (logged.kind === "ignored" || logged.table.ended || isInSnapshot(logged.table, transaction)) return null;
    if (logged.kind === "copy") return this.#copyRows(logged, id, form, b, start, end, post, transaction);
    if (logged.kind === "told") return this.#rowsResolved(logged, id, form, b, start, end, post, transaction);
    this.#deliverRows(logged, form, b, rowsBody(b, start, end, post, form.v2, this.#options.broken), end, transaction);
    return null;
  }

  /** Rows of a table's copy. Null: nothing is waited for. */
  #copyRows(
    { table, rows, bytes }: Extract<LoggedTable, { kind: "copy" }>,
    id: number,
    form: RowsForm,
    b: Uint8Array,
    start: number,
    end: number,
    post: number,
    transaction: Transaction,
  ): null {
    const { output, broken } = this.#options;
    const body = rowsBody(b, start, end, post, form.v2, broken);
    const column = typeof rows === "string" ? null : rows.otherValue(form, b, body, end, transaction, broken);
    if (typeof rows !== "string" && column === null) return null;
    this.#byId.set(id, { kind: "ignored", bytes });
    const trouble =
      typeof rows === "string" ? rows : `has rows with other values in column ${column!} than its default`;
    if (!output.changeSchema(table, withCopyTrouble(table.schema, trouble), transaction))
      output.stop(table, transaction, largeTransaction(table, transaction.id));
    return null;
  }

  async #rowsResolved(
    told: Told,
    id: number,
    form: RowsForm,
    b: Uint8Array,
    start: number,
    end: number,
    post: number,
    transaction: Transaction,
  ): Promise<void> {
    await this.#resolve(told, id, transaction);
    await this.rows(form, b, start, end, post, transaction);
  }

  #deliverRows(
    { table, writer }: Delivered,
    form: RowsForm,
    b: Uint8Array,
    start: number,
    end: number,
    transaction: Transaction,
  ): void {
    const { output, broken } = this.#options;
    const reader = this.#reader;
    const { images } = reader;
    const rowBytes = writer.rowBytes * (form.kind === "update" ? 2 : 1);
    let rows = 0;
    let bytes = 0;
    const taker: RowTaker = {
      row: (from, old, row, eventBytes) => {
        if (form.kind === "write") writer.insert(images, row, reader.complete);
        else if (form.kind === "update") writer.update(images, old, row, reader.complete, from);
        else writer.delete(old);
        bytes += (eventBytes + rowBytes) * writer.copies;
        rows++;
      },
      write: (from) => {
        const written = writer.write(output.batch(table), images, from, transaction);
        if (written) output.grew(table, bytes, rows);
        else output.stop(table, transaction, writer.failure(transaction.id));
        rows = bytes = 0;
        return written;
      },
    };
    reader.read(b, start, end, form, writer.map, writer.widths, taker, broken);
  }

  /** What the rows of a table are made of, when the first one has come. */
  async #resolve(told: Told, id: number, transaction: Transaction): Promise<void> {
    const { table, map } = told;
    const history = historyOf(table.schema);
    const fitted = history === null ? "its definition is not known" : fittedMap(map, history.table);
    const columns = typeof fitted === "string" ? map.columns : fitted.columns;
    await this.#options.charsets.prepare(columns.flatMap(({ charset }) => charset ?? []));
    if (typeof fitted !== "string") this.#deliver({ ...told, map: fitted }, id, table.schema, transaction);
    else if (map.named) await this.#lookUp(told, id, transaction);
    else {
      this.#ignore(told, id);
      this.#options.output.stop(table, transaction, shapeUnknown(table, fitted, transaction.id));
    }
  }

  #ignore({ table, bytes }: Told, id: number): void {
    this.#byId.set(id, { kind: "ignored", bytes });
    this.#byTable.delete(table);
  }

  /**
   * The log says itself what its rows are, and not what is known: the table was altered by a statement that was kept from
   * the log, or its definition was never known. The catalog is asked, and the definition is not relied on any more.
   */
  async #lookUp(told: Told, id: number, transaction: Transaction): Promise<void> {
    const { lookup, output, tables } = this.#options;
    const { table } = told;
    const answer = await lookup(told.map, table.schema);
    this.#ignore(told, id);
    if (answer.kind === "stop") {
      const stopped = tables.get(answer.table);
      if (stopped !== undefined && !stopped.ended) output.stop(stopped, transaction, answer.error);
      return;
    }
    if (table.ended) return;
    const { schema } = table;
    const known = schema.definition === undefined ? schema : { ...schema, version: schema.version + 1 };
    const next = answer.kind === "schema" ? answer.schema : known;
    this.#deliver(told, id, next.definition === undefined ? next : withDefinition(next, undefined), transaction);
  }

  #deliver({ map, bytes, table }: Told, id: number, schema: TableSchema, transaction: Transaction): void {
    const { output, rules, charsets } = this.#options;
    const writer = rowWriter(map, schema, rules, charsets);
    if (writer instanceof MillraceError) return output.stop(table, transaction, writer);
    if (schema !== table.schema && !output.changeSchema(table, schema, transaction))
      return output.stop(table, transaction, largeTransaction(table, transaction.id));
    this.#set(id, { kind: "delivered", bytes, table, writer });
  }
}

function shapeUnknown({ schema }: TableLog, why: string, position: string): MillraceError {
  return new MillraceError("SHAPE_UNKNOWN", `the log does not say what its rows of ${schema.id} are: ${why}`, {
    hint: `Set \`binlog_row_metadata = FULL\` at the source, then begin the table anew with \`millrace run FILE --resnapshot ${schema.id}\`.`,
    place: { table: schema.id, position },
  });
}

function largeTransaction({ schema }: TableLog, position: string): MillraceError {
  return new MillraceError(
    "DDL_IN_LARGE_TRANSACTION",
    `the transaction at ${position} adds columns to ${schema.id} after more changes than are held back`,
    { place: { table: schema.id, position } },
  );
}
