import type { FileColumn, FileSchema } from "../../formats/file-schema.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";

/** What the sink knows of a table it writes, as its records keep it. */
export interface TableEntry {
  readonly incarnation: number;
  /** Of its files, below the sink's path. */
  readonly folder: string;
  readonly schema: TableSchema;
  /** One a column of `schema`, in that order. */
  readonly columns: readonly ColumnEntry[];
  /** Its snapshot is complete: from there on whole transactions are in whole epochs. */
  readonly complete: boolean;
}

export interface ColumnEntry {
  /** In the files: the same in every version of an incarnation. */
  readonly fieldId: number;
  /** The version of the schema that had it first. Rows of an older one do not tell it. */
  readonly since: number;
}

export function newTable(schema: TableSchema, incarnation: number, folder: string): TableEntry {
  const columns = schema.columns.map((_, i) => ({ fieldId: i + 1, since: schema.version }));
  return { incarnation, folder, schema, columns, complete: false };
}

/** With the columns that a later version has more. */
export function alteredTable(entry: TableEntry, schema: TableSchema): TableEntry {
  const known = new Map(entry.schema.columns.map(({ name }, i) => [name, entry.columns[i]!]));
  let fieldId = Math.max(0, ...entry.columns.map((column) => column.fieldId));
  const columns = schema.columns.map(({ name }) => known.get(name) ?? { fieldId: ++fieldId, since: schema.version });
  return { ...entry, schema, columns };
}

/** The names of what each row has beside its own columns. A table that has a column of such a name is refused. */
export const CHANGE_COLUMNS = {
  op: "_op",
  commitTime: "_commit_ts",
  position: "_position",
  sequence: "_seq",
  transaction: "_tx",
  version: "_schema_version",
  unknown: "_unknown",
  before: "_before",
  beforeUnknown: "_before_unknown",
} as const;

/** Beyond any table's own, and below those that Iceberg keeps for itself. */
const FIRST_CHANGE_FIELD = 1_000_001;
const FIRST_BEFORE_FIELD = 1_100_001;

const TEXT = { kind: "text" } as const;
const TEXTS = { kind: "texts" } as const;
const INT32 = { kind: "int", bits: 32 } as const;
const INT64 = { kind: "int", bits: 64 } as const;
const INSTANT = { kind: "timestamp", zone: true } as const;

/**
 * The columns of a table's files of one version. None of the table's is required: a row that says that the table was
 * emptied has none of them, and the source may drop its own NOT NULL while the pipeline runs.
 */
export function fileSchema(schema: TableSchema, fieldIds: readonly number[], beforeImages: boolean): FileSchema {
  const columns = schema.columns.map(({ name, type }, i): FileColumn => ({
    name,
    fieldId: fieldIds[i]!,
    type,
    required: false,
  }));
  const change = (name: string, offset: number, type: FileColumn["type"], required: boolean): FileColumn => ({
    name,
    fieldId: FIRST_CHANGE_FIELD + offset,
    type,
    required,
  });
  const names = CHANGE_COLUMNS;
  columns.push(
    change(names.op, 0, TEXT, true),
    change(names.commitTime, 1, INSTANT, false),
    change(names.position, 2, TEXT, false),
    change(names.sequence, 3, INT64, true),
    change(names.transaction, 4, TEXT, false),
    change(names.version, 5, INT32, true),
    change(names.unknown, 6, TEXTS, false),
  );
  if (!beforeImages) return columns;
  const fields = columns.slice(0, schema.columns.length).map((column) => ({
    ...column,
    fieldId: FIRST_BEFORE_FIELD + column.fieldId,
  }));
  return [
    ...columns,
    change(names.before, 7, { kind: "row", fields }, false),
    change(names.beforeUnknown, 8, TEXTS, false),
  ];
}

/** `_schema/i1-v2.json`: a version of a table's schema, for people and for programs that read the files. */
export function schemaDocument(pipeline: string, entry: TableEntry): string {
  const { incarnation, schema, columns } = entry;
  const document = {
    pipeline,
    table: schema.id,
    incarnation,
    version: schema.version,
    key: schema.key.map((i) => schema.columns[i]!.name),
    columns: schema.columns.map(({ name, type, nullable, sourceType, existingRowsDefault }, i) => ({
      name,
      fieldId: columns[i]!.fieldId,
      type,
      nullable,
      sourceType,
      since: columns[i]!.since,
      existingRowsDefault,
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** `_schema/table.json`: how far the table is. */
export function tableDocument(pipeline: string, entry: TableEntry, sequence: number): string {
  const { incarnation, schema, complete } = entry;
  const table: TableId = schema.id;
  const snapshot = complete ? "complete" : "running";
  return `${JSON.stringify({ pipeline, table, incarnation, version: schema.version, snapshot, sequence }, null, 2)}\n`;
}
