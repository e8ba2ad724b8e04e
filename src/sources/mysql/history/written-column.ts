import { bytesPerCharacter, charsetOfName } from "../charset/width.ts";
import type { WrittenColumn } from "../ddl/column-definition.ts";
import { columnTypeText, sizedType } from "../ddl/column-type.ts";
import type { DdlRules } from "../ddl/rules.ts";
import type { DefinedColumn } from "./table-definition.ts";

/** A row has no room for more, and then servers that are not strict take another type. */
const VARCHAR_BYTES_MAX = 65_535;

/** What the server makes of a column as written, in a table of that collation. A text says why it cannot be told. */
export function definedColumn(
  written: WrittenColumn,
  tableCollation: string | null,
  rules: DdlRules,
): DefinedColumn | string {
  const collation = written.type.text ? writtenCollation(written, tableCollation) : null;
  if (written.type.text && collation === null) return `the character set of column ${written.name} is not known`;
  const charset = collation === null ? null : charsetOfName(collation);
  const type = sizedType(written.type, charset);
  if (type === null) return `the size of column ${written.name} is not understood`;
  const bytes = (type.numbers[0] ?? 0) * (type.text ? bytesPerCharacter(charset ?? "") : 1);
  if (type.word.startsWith("var") && bytes > VARCHAR_BYTES_MAX)
    return `column ${written.name} is too long for its type`;
  return {
    name: written.name,
    sourceType: columnTypeText(type, rules),
    collation: type.text ? collation : null,
    nullable: nullableOf(written),
    visible: written.visible,
    generated: written.generated,
  };
}

function nullableOf({ type, nullable, autoIncrement, primary }: WrittenColumn): boolean | null {
  if (autoIncrement || primary) return false;
  // Of a TIMESTAMP it goes by `explicit_defaults_for_timestamp`.
  return nullable ?? (type.word === "timestamp" ? null : true);
}

function writtenCollation({ type, collation }: WrittenColumn, tableCollation: string | null): string | null {
  const charset = type.charset ?? (tableCollation === null ? null : charsetOfName(tableCollation));
  if (collation !== null && collation !== "default") return qualifiedCollation(collation, charset);
  if (type.byBytes) return charset === null ? null : `${charset}_bin`;
  // Which collation a character set has by default is a matter of the server and of the session.
  return type.charset ?? tableCollation;
}

/** MariaDB's newer collations need not name their character set. */
export function qualifiedCollation(collation: string, charset: string | null): string | null {
  if (!collation.startsWith("uca1400")) return collation;
  return charset === null ? null : `${charset}_${collation}`;
}
