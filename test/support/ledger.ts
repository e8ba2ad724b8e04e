import { TestMysqlDatabase } from "./mysql.ts";
import type { AnyDatabase } from "./test-server.ts";
import type { Dialect } from "./workload-session.ts";

/** A change of a row as the source's own trigger has noted it. A row that gets another key goes (`d`) and comes (`m`). */
export interface NotedChange {
  readonly op: "c" | "u" | "d" | "m";
  /** The key's values with `|` between them; of a table without a key all of them. `-` for a null. */
  readonly key: string;
  /** Of a column that many changes change; empty of a row that goes. */
  readonly state: string;
}

interface Noted {
  readonly key: readonly string[];
  readonly state: string | null;
  readonly columns: readonly string[];
}

/** The tables of the workload. */
export const NOTED: Readonly<Record<string, Noted>> = {
  orders: { key: ["id"], state: "customer", columns: ["id", "customer", "amount", "note", "is_paid", "changed_at"] },
  stock: { key: ["warehouse", "product"], state: "quantity", columns: ["warehouse", "product", "quantity", "label"] },
  sessions: { key: ["id"], state: "visits", columns: ["id", "visits", "weight", "data"] },
  events: { key: [], state: null, columns: ["kind", "level", "at"] },
};

/**
 * Has the source note every change of the workload's tables, in the transaction that makes it: what a log of changes must
 * tell, one by one. Per key the notes are in the order of the commits, since whoever writes a row holds its lock.
 */
export async function keepLedger(db: AnyDatabase): Promise<void> {
  if (db instanceof TestMysqlDatabase) {
    await db.query(
      "CREATE TABLE ledger (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(20), op char(1), place text, state text)",
    );
    for (const table of Object.keys(NOTED)) for (const sql of mysqlTriggers(table)) await db.query(sql);
  } else {
    await db.query("CREATE TABLE ledger (id bigserial PRIMARY KEY, name text, op text, place text, state text)");
    for (const table of Object.keys(NOTED)) await db.query(postgresTrigger(table));
  }
}

/** What was noted of a table behind that note. */
export async function notedChanges(db: AnyDatabase, table: string, after = 0): Promise<readonly NotedChange[]> {
  const sql = `SELECT op, place AS "key", state FROM ledger WHERE name = '${table}' AND id > ${after} ORDER BY id`;
  return await db.query<NotedChange>(db instanceof TestMysqlDatabase ? sql.replaceAll('"', "`") : sql);
}

export async function lastNote(db: AnyDatabase): Promise<number> {
  const [found] = await db.query<{ last: number | string }>("SELECT max(id) AS last FROM ledger");
  return Number(found!.last);
}

function textOf(dialect: Dialect, row: string, column: string): string {
  if (dialect === "postgres") return `coalesce(${row}.${column}::text, '-')`;
  const value = `${row}.${column}`;
  return column === "id" ? `IF(LENGTH(${value}) = 16, LOWER(HEX(${value})), ${value})` : `COALESCE(${value}, '-')`;
}

function keyText(dialect: Dialect, table: string, row: string): string {
  const { key, columns } = NOTED[table]!;
  const names = key.length === 0 ? columns : key;
  return `concat_ws('|', ${names.map((name) => textOf(dialect, row, name)).join(", ")})`;
}

function note(dialect: Dialect, table: string, op: NotedChange["op"], row: string): string {
  const { state } = NOTED[table]!;
  const text = state === null || op === "d" ? "''" : textOf(dialect, row, state);
  return `INSERT INTO ledger (name, op, place, state) VALUES ('${table}', '${op}', ${keyText(dialect, table, row)}, ${text});`;
}

function postgresTrigger(table: string): string {
  const keyed = NOTED[table]!.key.length > 0;
  const stays = keyed ? `${keyText("postgres", table, "old")} = ${keyText("postgres", table, "new")}` : "false";
  return `CREATE FUNCTION note_${table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF TG_OP = 'UPDATE' AND ${stays} THEN ${note("postgres", table, "u", "new")} RETURN NULL; END IF;
      IF TG_OP <> 'INSERT' THEN ${note("postgres", table, "d", "old")} END IF;
      IF TG_OP = 'UPDATE' THEN ${note("postgres", table, "m", "new")} END IF;
      IF TG_OP = 'INSERT' THEN ${note("postgres", table, "c", "new")} END IF;
      RETURN NULL; END $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION note_${table}()`;
}

/** An update that leaves every byte as it was is none in the log; of one that was ignored MariaDB calls the trigger all the same. */
function mysqlTriggers(table: string): readonly string[] {
  const { key, columns } = NOTED[table]!;
  const same = (names: readonly string[]): string =>
    names.map((name) => `CAST(OLD.${name} AS BINARY) <=> CAST(NEW.${name} AS BINARY)`).join(" AND ");
  const old = key.map((name) => `${name} = OLD.${name} AND CAST(${name} AS BINARY) = CAST(OLD.${name} AS BINARY)`);
  const ignored = `EXISTS (SELECT 1 FROM ${table} WHERE ${old.join(" AND ")})`;
  const moves = `${note("mysql", table, "d", "OLD")} ${note("mysql", table, "m", "NEW")}`;
  const changes =
    key.length === 0
      ? moves
      : `IF ${same(key)} THEN ${note("mysql", table, "u", "NEW")} ELSEIF NOT ${ignored} THEN ${moves} END IF;`;
  const trigger = (event: string, body: string): string =>
    `CREATE TRIGGER note_${table}_${event} AFTER ${event} ON ${table} FOR EACH ROW BEGIN ${body} END`;
  return [
    trigger("INSERT", note("mysql", table, "c", "NEW")),
    trigger("DELETE", note("mysql", table, "d", "OLD")),
    trigger("UPDATE", `IF NOT (${same(columns)}) THEN ${changes} END IF;`),
  ];
}
