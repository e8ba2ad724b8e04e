import type { Ambient } from "../../core/ambient.ts";
import type { Session } from "./connection.ts";
import { snapshotCut, snapshotScript } from "./cut.ts";
import { parseMariadbGtid } from "./mariadb-gtid.ts";
import { type LogCut, MariadbTransaction, MysqlTransaction } from "./position.ts";
import type { ServerFacts } from "./server-facts.ts";

const POLL_MIN_MS = 50;
const POLL_MAX_MS = 1_000;

/** What a snapshot taken now contains. */
export async function visibleCut(session: Session, signal: AbortSignal): Promise<LogCut> {
  const script = [...snapshotScript(session, "DO 0"), "ROLLBACK"];
  return snapshotCut(session, await session.script(script.join("; "), signal));
}

/** Resolves when snapshots contain the transactions of these ids. `waiting` hears what for, when that changes. */
export async function untilVisible(
  session: Session,
  facts: ServerFacts,
  ids: readonly string[],
  waiting: (what: string) => void,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<void> {
  const transactions = ids.map((id) => parseTransactionId(facts, id));
  let said = "";
  for (let pauseMs = POLL_MIN_MS; ; pauseMs = Math.min(pauseMs * 2, POLL_MAX_MS)) {
    const cut = await visibleCut(session, signal);
    const hidden = transactions.find((transaction) => !cut.surelyIncludes(transaction));
    if (hidden === undefined) return;
    const what = `transaction ${hidden.id} to become visible`;
    if (what !== said) waiting(what);
    said = what;
    await ambient.clock.sleep(pauseMs, signal);
  }
}

function parseTransactionId({ flavour }: ServerFacts, id: string): MysqlTransaction | MariadbTransaction {
  if (flavour === "mariadb") return new MariadbTransaction(parseMariadbGtid(id), 0);
  const colon = id.lastIndexOf(":");
  return new MysqlTransaction(id.slice(0, colon), BigInt(id.slice(colon + 1)), 0);
}
