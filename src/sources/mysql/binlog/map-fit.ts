import { bytesPerCharacter } from "../charset/width.ts";
import { WIRE_TYPES } from "./cell-plan.ts";
import { type MysqlType, parseMysqlType } from "../mysql-type.ts";
import type { DefinedColumn, TableDefinition } from "../history/table-definition.ts";
import type { MapColumn, TableMap } from "./table-map.ts";
import { WireType } from "./wire-type.ts";

/**
 * A table map with the names and labels that it lacks, from the table's definition at its place of the log. A text says
 * why the map is not one of that definition: then the definition is wrong, and nothing is guessed by it.
 */
export function fittedMap(map: TableMap, definition: TableDefinition): TableMap | string {
  const { columns } = definition;
  if (map.columns.length !== columns.length)
    return `its rows have ${map.columns.length} columns, and ${columns.length} are known`;
  const fitted: MapColumn[] = [];
  for (const [i, logged] of map.columns.entries()) {
    const column = fittedColumn(logged, columns[i]!, map);
    if (typeof column === "string") return `column ${columns[i]!.name} ${column}`;
    fitted.push(column);
  }
  if (map.named) return { ...map, columns: fitted };
  const key = (definition.key?.columns ?? []).map((name) => columns.findIndex((column) => column.name === name));
  return key.includes(-1) ? "its key has a column that is not known" : { ...map, columns: fitted, key };
}

function fittedColumn(logged: MapColumn, known: DefinedColumn, map: TableMap): MapColumn | string {
  const type = parseMysqlType(known.sourceType, known.collation);
  if (type === null) return `is of type ${known.sourceType}, which is not known`;
  if (map.named && logged.name !== known.name) return `is called ${logged.name} in the log`;
  if (!WIRE_TYPES[type.name].includes(logged.wireType) || !fitsMeta(logged, type, known))
    return `is ${known.sourceType}, and its rows are of another type (${logged.wireType}, ${logged.meta})`;
  if (known.nullable !== null && known.nullable !== logged.nullable)
    return `is ${known.nullable ? "" : "NOT "}NULL, and its rows are not`;
  if (map.hasSigns && isNumber(type) && type.unsigned !== logged.unsigned)
    return `is ${known.sourceType}, and its rows are of the other sign`;
  const charset = type.charset === "utf8" ? "utf8mb3" : type.charset;
  if (logged.charset !== null && charset !== null && logged.charset !== charset)
    return `is of character set ${charset}, and its rows of ${logged.charset}`;
  const staysWhereAbsent = logged.staysWhereAbsent || !known.generated;
  return { ...logged, ...(map.named ? {} : namedColumn(known, type, charset)), staysWhereAbsent };
}

type Named = Pick<MapColumn, "name" | "unsigned" | "charset" | "members" | "visible">;

function namedColumn(known: DefinedColumn, type: MysqlType, charset: string | null): Named {
  const isListed = type.name === "enum" || type.name === "set";
  return {
    name: known.name,
    unsigned: isNumber(type) && type.unsigned,
    // Labels are known as text, and not by the bytes that they have in the log.
    charset: isListed ? "utf8mb4" : (charset ?? "binary"),
    members: type.members.map((member) => Buffer.from(member, "utf8")),
    visible: known.visible,
  };
}

const NUMBERS: readonly string[] = ["tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"];

function isNumber(type: MysqlType): boolean {
  return NUMBERS.includes(type.name);
}

const PREFIXES: Readonly<Record<string, number>> = { tiny: 1, medium: 3, long: 4 };

/** What the map says of a column's size, where its type has one. */
function fitsMeta({ wireType, meta }: MapColumn, type: MysqlType, { sourceType }: DefinedColumn): boolean {
  const size = type.size ?? 0;
  const width = type.charset === null ? 1 : bytesPerCharacter(type.charset);
  switch (type.name) {
    case "char":
    case "binary":
      return meta === size * width;
    case "varchar":
    case "varbinary":
      return wireType === WireType.varcharCompressed || meta === size * width;
    case "text":
    case "blob":
      return meta === (PREFIXES[/^(?:tiny|medium|long)/.exec(sourceType)?.[0] ?? ""] ?? 2);
    case "decimal":
      return meta === (type.size ?? 10) * 256 + (type.scale ?? 0);
    case "bit":
      return meta === (type.size ?? 1);
    case "enum":
      return meta === (type.members.length < 256 ? 1 : 2);
    case "set":
      return meta === setBytes(type.members.length);
    case "time":
    case "datetime":
    case "timestamp":
      return meta === (wireType < WireType.timestamp2 ? 0 : size);
    default:
      return true;
  }
}

function setBytes(members: number): number {
  const bytes = (members + 7) >> 3;
  return bytes > 4 ? 8 : bytes;
}
