import { assertNever } from "../../core/errors.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import type { FileColumn, FileSchema } from "../file-schema.ts";
import { fixedLength, PhysicalType, physicalType } from "./physical-type.ts";
import { ThriftType } from "./thrift-type.ts";
import type { ThriftWriter } from "./thrift-writer.ts";

/** `FieldRepetitionType` and `ConvertedType` of parquet.thrift. */
const Repetition = { required: 0, optional: 1, repeated: 2 } as const;
const Converted = {
  utf8: 0,
  list: 3,
  decimal: 5,
  date: 6,
  timeMicros: 8,
  timestampMicros: 10,
  int16: 16,
  json: 19,
} as const;

/** A column that has cells of its own: those of a `row` are its fields. */
export interface Leaf {
  readonly path: readonly string[];
  readonly physical: PhysicalType;
}

/** In the order of their column chunks. */
export function leavesOf(schema: FileSchema, above: readonly string[] = []): readonly Leaf[] {
  return schema.flatMap(({ name, type }) => {
    const path = [...above, name];
    if (type.kind === "row") return leavesOf(type.fields, path);
    if (type.kind === "texts") return [{ path: [...path, "list", "element"], physical: PhysicalType.byteArray }];
    return [{ path, physical: physicalType(type) }];
  });
}

interface Element {
  readonly name: string;
  readonly fieldId: number | null;
  /** null: of the root. */
  readonly repetition: number | null;
  /** null: of a group. */
  readonly type: LogicalType | null;
  readonly children: number | null;
  readonly isList: boolean;
}

const GROUP = { type: null, fieldId: null, isList: false } as const;

/** `FileMetaData.schema`: the root and everything in it, depth first. */
export function writeSchema(writer: ThriftWriter, id: number, schema: FileSchema): void {
  const root = { ...GROUP, name: "schema", repetition: null, children: schema.length };
  const elements = [root, ...schema.flatMap(elementsOf)];
  writer.listField(id, ThriftType.struct, elements, (element) => writer.struct(() => writeElement(writer, element)));
}

function elementsOf({ name, fieldId, type, required }: FileColumn): readonly Element[] {
  const repetition = required ? Repetition.required : Repetition.optional;
  switch (type.kind) {
    case "row": {
      const row = { ...GROUP, name, fieldId, repetition, children: type.fields.length };
      return [row, ...type.fields.flatMap(elementsOf)];
    }
    case "texts":
      // The three levels of LogicalTypes.md, with its names.
      return [
        { ...GROUP, name, fieldId, repetition, children: 1, isList: true },
        { ...GROUP, name: "list", repetition: Repetition.repeated, children: 1 },
        { ...leaf({ kind: "text" }), name: "element", fieldId: null, repetition: Repetition.required },
      ];
    default:
      return [{ ...leaf(type), name, fieldId, repetition }];
  }
}

function leaf(type: LogicalType): Pick<Element, "type" | "children" | "isList"> {
  return { type, children: null, isList: false };
}

/** `SchemaElement`. */
function writeElement(writer: ThriftWriter, { name, fieldId, repetition, type, children, isList }: Element): void {
  const physical = type === null ? null : physicalType(type);
  writer.int(1, physical);
  if (physical === PhysicalType.fixedLengthByteArray) writer.int(2, fixedLength(type!));
  writer.int(3, repetition);
  writer.text(4, name);
  writer.int(5, children);
  writer.int(6, isList ? Converted.list : type === null ? null : convertedType(type));
  if (type?.kind === "decimal") {
    writer.int(7, type.scale);
    writer.int(8, type.precision);
  }
  writer.int(9, fieldId);
  if (isList) writer.structField(10, () => writer.structField(3, () => undefined));
  else if (type !== null) writeLogicalType(writer, type);
}

/** For readers from before logical types; those of a local time want it too (LogicalTypes.md). */
function convertedType(type: LogicalType): number | null {
  switch (type.kind) {
    case "int":
      return type.bits === 16 ? Converted.int16 : null;
    case "decimal":
      return Converted.decimal;
    case "text":
      return Converted.utf8;
    case "json":
      return Converted.json;
    case "date":
      return Converted.date;
    case "time":
      return Converted.timeMicros;
    case "timestamp":
      return Converted.timestampMicros;
    case "bool":
    case "float":
    case "bytes":
    case "uuid":
      return null;
    default:
      return assertNever(type);
  }
}

/** The union `LogicalType`, where the type has one. */
function writeLogicalType(writer: ThriftWriter, type: LogicalType): void {
  const annotate = (id: number, fields: () => void = () => undefined): void =>
    writer.structField(10, () => writer.structField(id, fields));
  switch (type.kind) {
    case "text":
      return annotate(1);
    case "decimal":
      return annotate(5, () => {
        writer.int(1, type.scale);
        writer.int(2, type.precision);
      });
    case "date":
      return annotate(6);
    case "time":
      return annotate(7, () => writeMicroseconds(writer, false));
    case "timestamp":
      return annotate(8, () => writeMicroseconds(writer, type.zone));
    case "int":
      if (type.bits !== 16) return;
      return annotate(10, () => {
        writer.byte(1, 16);
        writer.bool(2, true);
      });
    case "json":
      return annotate(12);
    case "uuid":
      return annotate(14);
    case "bool":
    case "float":
    case "bytes":
      return;
    default:
      assertNever(type);
  }
}

/** `TimeType` and `TimestampType`; MICROS is 2 of the union `TimeUnit`. */
function writeMicroseconds(writer: ThriftWriter, isAdjustedToUtc: boolean): void {
  writer.bool(1, isAdjustedToUtc);
  writer.structField(2, () => writer.structField(2, () => undefined));
}
