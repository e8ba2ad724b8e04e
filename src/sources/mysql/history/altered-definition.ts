import type { Alteration } from "../ddl/alteration.ts";
import { bytesPerCharacter, charsetOfName } from "../charset/width.ts";
import type { CatalogKey } from "../catalog-key.ts";
import type { ColumnPlace, WrittenColumn } from "../ddl/column-definition.ts";
import type { DdlRules } from "../ddl/rules.ts";
import type { DefinedColumn, TableDefinition } from "./table-definition.ts";
import { definedColumn, qualifiedCollation } from "./written-column.ts";

/** A column behind an alteration: what it was before it, null: not there; and what the statement says of it. */
export interface AlteredColumn {
  readonly column: DefinedColumn;
  readonly before: DefinedColumn | null;
  readonly written: WrittenColumn | null;
}

export interface AlteredTable {
  readonly definition: TableDefinition;
  /** As in the definition. */
  readonly columns: readonly AlteredColumn[];
  /** A rule of uniqueness was added. */
  readonly unique: boolean;
}

const EMPTY: TableDefinition = { columns: [], key: null, collation: null };

/** The definition that a CREATE TABLE with these columns makes. A text says why it cannot be told. */
export function createdDefinition(alterations: readonly Alteration[], rules: DdlRules): TableDefinition | string {
  const created = alterDefinition(EMPTY, alterations, rules);
  return typeof created === "string" ? created : created.definition;
}

/**
 * What an ALTER TABLE makes of a definition. Both servers go about it in this order: what is there stays in its place,
 * changed or not; then what is new, or is given a place, is put there, in the order of the statement. A text says what of it does not fit the definition: then that was not the table's.
 */
export function alterDefinition(
  definition: TableDefinition,
  alterations: readonly Alteration[],
  rules: DdlRules,
): AlteredTable | string {
  const collation = tableCollation(definition.collation, alterations);
  const missing = missingColumn(definition, alterations);
  if (missing !== null) return `there is no column ${missing}`;
  const columns: AlteredColumn[] = [];
  for (const before of definition.columns) {
    const action = alterations.find((one) => "name" in one && one.kind !== "show" && sameName(one.name, before.name));
    if (action?.kind === "drop") continue;
    const written = action?.kind === "change" ? action.column : null;
    const column =
      written === null ? keptColumn(before, action, alterations) : definedColumn(written, collation, rules);
    if (typeof column === "string") return column;
    columns.push({ column, before, written });
  }
  for (const action of alterations) {
    if (action.kind !== "add" && (action.kind !== "change" || action.place === null)) continue;
    const there = columns.findIndex(({ column }) => sameName(column.name, action.column.name));
    if (action.kind === "add" && there >= 0) {
      if (action.unlessThere) continue;
      return `there is a column ${action.column.name} already`;
    }
    if (action.kind === "change" && there < 0) continue;
    const placed = action.kind === "add" ? addedColumn(action.column, collation, rules) : columns.splice(there, 1)[0]!;
    if (typeof placed === "string") return placed;
    if (!insertColumn(columns, placed, action.place)) return `there is no column to put ${action.column.name} behind`;
  }
  return finished(columns, alteredKey(definition, alterations), collation, alterations);
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The first column that an action needs, and that is not there. */
function missingColumn(definition: TableDefinition, alterations: readonly Alteration[]): string | null {
  for (const action of alterations) {
    if (!("name" in action) || ("ifThere" in action && action.ifThere)) continue;
    if (!definition.columns.some(({ name }) => sameName(name, action.name))) return action.name;
  }
  return null;
}

function finished(
  columns: readonly AlteredColumn[],
  key: CatalogKey | null,
  collation: string | null,
  alterations: readonly Alteration[],
): AlteredTable {
  const inKey = key?.columns ?? [];
  const altered = columns.map((one) =>
    inKey.some((name) => sameName(name, one.column.name))
      ? { ...one, column: { ...one.column, nullable: false } }
      : one,
  );
  const spelled = inKey.map((key) => altered.find(({ column: { name } }) => sameName(name, key))?.column.name ?? key);
  const unique = alterations.some(
    (one) =>
      one.kind === "unique" || one.kind === "add-key" || ("column" in one && (one.column.unique || one.column.primary)),
  );
  return {
    definition: {
      columns: altered.map(({ column }) => column),
      key: key === null ? null : { ...key, columns: spelled },
      collation,
    },
    columns: altered,
    unique,
  };
}

function addedColumn(written: WrittenColumn, collation: string | null, rules: DdlRules): AlteredColumn | string {
  const column = definedColumn(written, collation, rules);
  return typeof column === "string" ? column : { column, before: null, written };
}

function insertColumn(columns: AlteredColumn[], column: AlteredColumn, place: ColumnPlace): boolean {
  if (place === null) columns.push(column);
  else if (place.kind === "first") columns.unshift(column);
  else {
    const at = columns.findIndex(({ column: { name } }) => sameName(name, place.name));
    if (at < 0) return false;
    columns.splice(at + 1, 0, column);
  }
  return true;
}

/** A column of which no other type is said. */
function keptColumn(
  before: DefinedColumn,
  action: Alteration | undefined,
  alterations: readonly Alteration[],
): DefinedColumn | string {
  const shown = alterations.findLast((one) => one.kind === "show" && sameName(one.name, before.name));
  const named = action?.kind === "rename" ? { ...before, name: action.to } : before;
  const column = shown?.kind === "show" ? { ...named, visible: shown.visible } : named;
  const convert = alterations.findLast((one) => one.kind === "convert");
  return convert === undefined || column.collation === null ? column : converted(column, convert);
}

const LONGER: Readonly<Record<string, readonly [bytes: number, next: string]>> = {
  tinytext: [255, "text"],
  text: [65_535, "mediumtext"],
  mediumtext: [16_777_215, "longtext"],
};

/** As long in characters as it was: types of text become the next longer one where that takes more bytes. */
function converted(column: DefinedColumn, convert: Extract<Alteration, { kind: "convert" }>): DefinedColumn | string {
  const collation = writtenTableCollation(convert);
  if (collation === null) return "the character set that it was converted to is not known";
  const [before, after] = [charsetOfName(column.collation!), charsetOfName(collation)].map(bytesPerCharacter);
  if (charsetOfName(collation) === "binary") return "it was converted to bytes";
  if (after! <= before!) return { ...column, collation };
  const longer = LONGER[column.sourceType];
  const outgrown = longer !== undefined && Math.floor(longer[0] / before!) * after! > longer[0];
  return { ...column, collation, sourceType: outgrown ? longer[1] : column.sourceType };
}

type TableCharset = Extract<Alteration, { kind: "convert" | "default-charset" }>;

function writtenTableCollation({ charset, collation }: Pick<TableCharset, "charset" | "collation">): string | null {
  return collation === null ? charset : qualifiedCollation(collation, charset);
}

/** The table's own, behind the statement; of several words about it a collation says more than a character set. */
function tableCollation(before: string | null, alterations: readonly Alteration[]): string | null {
  const said = alterations.filter((one) => one.kind === "default-charset" || one.kind === "convert");
  const charset = said.findLast((one) => one.charset !== null)?.charset ?? null;
  const collation = said.findLast((one) => one.collation !== null)?.collation ?? null;
  if (collation === null && charset === null) return said.length > 0 ? null : before;
  const known = charset ?? (before === null ? null : charsetOfName(before));
  return writtenTableCollation({ charset: known, collation });
}

const PRIMARY = "PRIMARY";

/** A unique index that is added is never taken for the key here: where one was, it still is one. */
function alteredKey(definition: TableDefinition, alterations: readonly Alteration[]): CatalogKey | null {
  let { index = "", columns = [] } = definition.key ?? {};
  for (const action of alterations) {
    if (action.kind === "drop-index" && sameName(action.index, index)) columns = [];
    if (action.kind === "drop") columns = columns.filter((name) => !sameName(name, action.name));
    const renamed = action.kind === "rename" ? action.to : action.kind === "change" ? action.column.name : null;
    if (renamed !== null && "name" in action)
      columns = columns.map((name) => (sameName(name, action.name) ? renamed : name));
  }
  for (const action of alterations) {
    const primary =
      action.kind === "add-key"
        ? action.columns
        : "column" in action && action.column.primary
          ? [action.column.name]
          : null;
    if (primary !== null) [index, columns] = [PRIMARY, primary];
  }
  return columns.length === 0 ? null : { index, columns };
}
