import type { Session } from "../connection.ts";
import { GtidPosition } from "../position/mariadb-gtid.ts";
import { type LogPosition, MariadbPosition } from "../position.ts";
import { visibleCut } from "./visible.ts";

/** All that a server has: what was delivered from it and is not in that, it has lost. On MariaDB it may have copied it unlogged. */
export async function logHead(session: Session, signal: AbortSignal): Promise<LogPosition> {
  if (session.flavour === "mysql") return (await visibleCut(session, signal)).bound;
  const [row] = await session.query<{ binlog: string; current: string }>(
    "SELECT @@global.gtid_binlog_pos AS binlog, @@global.gtid_current_pos AS current",
    [],
    signal,
  );
  return new MariadbPosition(GtidPosition.parse(row!.binlog).union(GtidPosition.parse(row!.current)));
}
