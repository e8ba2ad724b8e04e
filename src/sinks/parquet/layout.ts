import { MillraceError } from "../../core/errors.ts";
import type { TableSchema } from "../../core/table-schema.ts";

/** Where everything of the sink's own lies: beside the tables, under a name that readers pass over. */
const OWN_FOLDER = "_millrace";
/** The versions of a table's schema, beside its files. */
const SCHEMA_FOLDER = "_schema";

/**
 * A name as one part of a path, different for different names. Percent-encoded is what a folder or a bucket could take for
 * something else: separators, control characters, `=` (which marks a partition), `*?[` (which globs give a meaning), and a
 * leading `_` or `.`, under which readers take files for hidden.
 */
export function pathPart(name: string): string {
  const encoded = name.replaceAll(/[\u0000-\u0020\u007f%/\\=*?[\]{}"'<>|:#&+]/g, percent);
  return encoded.replace(/^[._]/, percent);
}

function percent(character: string): string {
  return [...new TextEncoder().encode(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
    .join("");
}

/** The folder of a table's files by the template of `layout`: `{schema}/{table}` by default. */
export function tableFolder(template: string, { namespace, name }: TableSchema): string {
  return template.replaceAll("{schema}", () => pathPart(namespace)).replaceAll("{table}", () => pathPart(name));
}

/** The folder of a pipeline's records. */
export function ownFolder(pipeline: string): string {
  return `${OWN_FOLDER}/${pathPart(pipeline)}`;
}

export function schemaFolder(folder: string): string {
  return `${folder}/${SCHEMA_FOLDER}`;
}

/** What a data file's name tells of it. */
export interface FileName {
  readonly pipeline: string;
  readonly incarnation: number;
  readonly version: number;
  /** Of the epoch, over all of the pipeline's lives: the upper half of its rows' `_seq`. */
  readonly sequence: number;
  /** Eight hex digits of the run that wrote it: the same epoch written again has other names. */
  readonly run: string;
  readonly number: number;
}

const NAME = /^(.+)-i(\d+)-v(\d+)-(\d{10})-([0-9a-f]{8})-(\d+)\.parquet$/s;

/** `shop-i1-v2-0000000031-9f86d081-0.parquet`: never the same for two attempts at an epoch. */
export function fileName({ pipeline, incarnation, version, sequence, run, number }: FileName): string {
  const padded = String(sequence).padStart(10, "0");
  return `${pathPart(pipeline)}-i${incarnation}-v${version}-${padded}-${run}-${number}.parquet`;
}

/** Null: the key is not that of a data file of ours. The name's `pipeline` is as it stands in the path. */
export function parseFileName(key: string): FileName | null {
  const match = NAME.exec(key.slice(key.lastIndexOf("/") + 1));
  if (match === null) return null;
  const [, pipeline, incarnation, version, sequence, run, number] = match;
  return {
    pipeline: pipeline!,
    incarnation: Number(incarnation),
    version: Number(version),
    sequence: Number(sequence),
    run: run!,
    number: Number(number),
  };
}

/** Refuses what would let two tables share a folder, or lie in the sink's own. */
export function checkLayout(template: string): string | null {
  const parts = template.split("/");
  if (!template.includes("{table}")) return "has no {table}: the files of all tables would lie in one folder";
  if (!template.includes("{schema}"))
    return "has no {schema}: tables of one name in two schemas would lie in one folder";
  if (parts.some((part) => part === "" || part === "." || part === "..")) return "has an empty part, or one of dots";
  if (/^[._]/.test(template)) return "begins with `_` or `.`, under which readers look for no tables";
  return template.replaceAll(/\{(schema|table)\}/g, "").match(/[{}*?[\]\\]/) === null
    ? null
    : "has a word in braces other than {schema} and {table}, or a character that globs give a meaning";
}

export function noFolderTwice(folders: ReadonlyMap<string, string>, folder: string, table: string): void {
  for (const [other, taken] of folders)
    if (taken === folder && other !== table)
      throw new MillraceError(
        "SINK_NAME_CLASH",
        `Table ${table} cannot be written: its folder ${folder} is that of ${other}.`,
        {
          place: { table },
          hint: "Give `layout` a form in which the two have folders of their own.",
        },
      );
}
