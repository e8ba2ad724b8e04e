import type { Flavour } from "../position.ts";
import type { SqlRules } from "./sql-tokens.ts";

/** What the session's `sql_mode` says of how a statement is meant. */
export interface SqlModes {
  readonly ansiQuotes: boolean;
  readonly backslashIsPlain: boolean;
  readonly realAsFloat: boolean;
  /** Values that do not fit are an error, and not changed. */
  readonly strict: boolean;
  /** Another dialect (MariaDB's `sql_mode = ORACLE`, for one), whose types mean something else. */
  readonly otherDialect: boolean;
}

/** What the meaning of DDL depends on, beside its text: the server, and the session's `sql_mode`. */
export interface DdlRules extends SqlModes, SqlRules {
  readonly flavour: Flavour;
  /** As versioned comments have it: `90704`. */
  readonly serverVersion: number;
}

export function ddlRules(flavour: Flavour, serverVersion: number, modes: SqlModes): DdlRules {
  return {
    ...modes,
    flavour,
    serverVersion,
    runsComment: (version, forMariadb) =>
      flavour === "mysql"
        ? !forMariadb && version <= serverVersion
        : // MariaDB leaves out what is meant for MySQL from 5.7 on.
          version <= serverVersion && (forMariadb || version < 50_700 || version > 99_999),
  };
}
