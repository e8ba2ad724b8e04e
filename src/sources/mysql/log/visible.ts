import type { Ambient } from "../../../core/ambient.ts";
import type { Session } from "../connection.ts";
import { openSnapshot, snapshotScript } from "./cut.ts";
import { type LogCut, type LogPosition, MariadbTransaction, MysqlTransaction } from "../position.ts";
import type { ServerFacts } from "../server-facts.ts";

const POLL_MIN_MS = 50;
const POLL_MAX_MS = 1_000;

/** What a snapshot taken now contains. */
export async function visibleCut(session: Session, signal: AbortSignal): Promise<LogCut> {
  const { cut } = await openSnapshot(session, [...snapshotScript(session, "DO 0"), "ROLLBACK"], signal);
  return cut;
}

/** Resolves when `visible` says that nothing is `hidden` any more. `waiting` hears what for, when that changes. */
export async function untilVisible(
  visible: (signal: AbortSignal) => Promise<LogCut>,
  hidden: (cut: LogCut) => string | null,
  waiting: (what: string) => void,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<void> {
  let said = "";
  for (let pauseMs = POLL_MIN_MS; ; pauseMs = Math.min(pauseMs * 2, POLL_MAX_MS)) {
    const what = hidden(await visible(signal));
    if (what === null) return;
    if (what !== said) waiting(`${what} to become visible`);
    said = what;
    await ambient.clock.sleep(pauseMs, signal);
  }
}

/** The first of these transactions that a snapshot may not contain. */
export function hiddenOf(facts: ServerFacts, ids: readonly string[]): (cut: LogCut) => string | null {
  const transactions = ids.map((id) => parseTransactionId(facts, id));
  return (cut) => {
    const hidden = transactions.find((transaction) => !cut.surelyIncludes(transaction));
    return hidden === undefined ? null : `transaction ${hidden.id}`;
  };
}

/** Whether a snapshot may not contain all that is before a place in the log. */
export function hiddenBefore(place: LogPosition): (cut: LogCut) => string | null {
  return ({ included }) => (included?.covers(place) === true ? null : `what the log has before ${place.toString()}`);
}

function parseTransactionId({ flavour }: ServerFacts, id: string): MysqlTransaction | MariadbTransaction {
  if (flavour === "mariadb") return MariadbTransaction.parse(id);
  const colon = id.lastIndexOf(":");
  return new MysqlTransaction(id.slice(0, colon), BigInt(id.slice(colon + 1)), 0);
}
