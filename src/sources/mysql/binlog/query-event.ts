import { HEADER_BYTES } from "./event.ts";
import { BinlogFields, type Broken, readUint64 } from "./fields.ts";
import { charsetOfCollation, decodeText } from "../charset/charset.ts";
import { inflatedPart } from "./compressed-part.ts";
import type { SqlModes } from "../ddl/rules.ts";

/** A statement that the log has as text: the frame of a transaction, DDL, or DML that is not logged as rows. */
export interface LoggedStatement {
  /** The database that was in use; empty: none. */
  readonly database: string;
  readonly sql: string;
  readonly modes: SqlModes;
}

/**
 * Fields of the post-header: thread 4, seconds 4, length of the database's name 1, error 2, length of the variables 2.
 */
const POST_HEADER_BYTES = 13;
/** Words of `sql_mode`, by their bit. */
const REAL_AS_FLOAT = 1n << 0n;
const ANSI_QUOTES = 1n << 2n;
/** POSTGRESQL, ORACLE, MSSQL, DB2, MAXDB, which MariaDB has and MySQL had. */
const OTHER_DIALECT = 0b11111n << 8n;
const STRICT = 0b11n << 21n;
const NO_BACKSLASH_ESCAPES = 1n << 20n;

/**
 * Status variables come in the order of their numbers; these are the first ones, with all that can stand before the
 * last.
 */
const StatusVariable = { flags: 0, sqlMode: 1, catalog: 2, autoIncrement: 3, charset: 4, catalogName: 6 } as const;

/**
 * QUERY_EVENT of both servers (`mysql/binlog/event/statement_events.h`); compressed, MariaDB's QUERY_COMPRESSED_EVENT.
 */
export function readStatement(
  b: Uint8Array,
  start: number,
  end: number,
  compressed: boolean,
  broken: Broken,
): LoggedStatement {
  const fields = new BinlogFields(b, start + HEADER_BYTES, end, broken);
  const post = fields.skip(POST_HEADER_BYTES);
  const databaseBytes = b[post + 8]!;
  const variables = fields.skip(b[post + 11]! | (b[post + 12]! << 8));
  const { sqlMode, collation } = statusVariables(new BinlogFields(b, variables, fields.at, broken));
  const database = fields.text(databaseBytes);
  if (fields.uint8() !== 0) throw broken("a name without an end");
  const inflated = compressed ? inflatedPart(b, fields.at, fields.end, broken) : null;
  const charset = charsetOfCollation(collation) ?? "utf8mb4";
  return {
    database,
    sql: inflated === null ? decodeText(charset, b, fields.at, end) : decodeText(charset, inflated, 0, inflated.length),
    modes: sqlModes(sqlMode),
  };
}

function sqlModes(bits: bigint): SqlModes {
  return {
    ansiQuotes: (bits & ANSI_QUOTES) !== 0n,
    backslashIsPlain: (bits & NO_BACKSLASH_ESCAPES) !== 0n,
    realAsFloat: (bits & REAL_AS_FLOAT) !== 0n,
    strict: (bits & STRICT) !== 0n,
    otherDialect: (bits & OTHER_DIALECT) !== 0n,
  };
}

/** The session's SQL mode, and the collation of its client's character set, in which the statement is written. */
function statusVariables(fields: BinlogFields): { sqlMode: bigint; collation: number } {
  let sqlMode = 0n;
  let collation = 0;
  while (fields.left > 0) {
    const variable = fields.uint8();
    if (variable === StatusVariable.flags || variable === StatusVariable.autoIncrement) fields.skip(4);
    else if (variable === StatusVariable.sqlMode) sqlMode = readUint64(fields.bytes, fields.skip(8));
    else if (variable === StatusVariable.catalog) fields.skip(fields.uint8() + 1);
    else if (variable === StatusVariable.catalogName || variable === 5) fields.skip(fields.uint8());
    else if (variable === StatusVariable.charset) {
      collation = fields.uint16();
      fields.skip(4);
    } else break;
  }
  return { sqlMode, collation };
}
