import { GtidSet } from "./gtid-set.ts";
import { GtidPosition } from "./mariadb-gtid.ts";
import { MariadbPosition, MysqlPosition, type LogPosition } from "../position.ts";

/** The position that people wrote; null: it is none of either server. */
export function parseGtids(text: string): LogPosition | null {
  for (const parse of [
    (): LogPosition => new MysqlPosition(GtidSet.parse(text)),
    (): LogPosition => new MariadbPosition(GtidPosition.parse(text)),
  ])
    try {
      return parse();
    } catch {
      // Of the other server, or of none.
    }
  return null;
}

export function areGtids(text: string): boolean {
  return parseGtids(text) !== null;
}
