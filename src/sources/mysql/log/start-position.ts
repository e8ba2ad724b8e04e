import type { Clock } from "../../../core/ambient.ts";
import { MillraceError } from "../../../core/errors.ts";
import type { Session } from "../connection.ts";
import { type LogPosition, restartedAt } from "../position.ts";
import { Errno, serverErrno } from "../server-error.ts";
import { recoveredXids, XA_RECOVER } from "./xa-recover.ts";

const POLL_MS = 100;
const XIDS_NAMED_MAX = 10;

export interface StartOptions {
  readonly session: Session;
  readonly clock: Clock;
  /** How long to wait for XA transactions that were prepared before. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Where a pipeline begins: everything that is done can be seen by chunks that are opened from now on, and everything that
 * is not is read. The rows of an XA transaction stand in the log before it is prepared, and its commit may be behind the
 * start: so the reading begins at an earlier place, from which no XA transaction is open any more. Throws XA_UNDECIDED.
 *
 * `visible` finds a place in the log up to which chunks that are opened from now on see everything, or wait for it.
 */
export async function startPosition(options: StartOptions, visible: () => Promise<LogPosition>): Promise<LogPosition> {
  const { session } = options;
  const earlier = await visible();
  if ((await undecided(options)) === null) return earlier;
  await untilDecided(options);
  const start = await visible();
  // Commits that the log has had already can be seen when they are over, too.
  if (session.flavour === "mariadb") await untilDecided(options);
  const restart = earlier.meet(start) as LogPosition;
  return restart.covers(start) ? start : restartedAt(start, restart);
}

/** Null: the server does not tell us. Then a commit of one that was prepared before the start is an error when it comes. */
async function undecided({ session, signal }: StartOptions): Promise<readonly string[] | null> {
  try {
    return recoveredXids(await session.query(XA_RECOVER[session.flavour], [], signal));
  } catch (error) {
    if (serverErrno(error) === Errno.xaManager) return null;
    throw error;
  }
}

/** Resolves when none of the XA transactions is open that are now. */
async function untilDecided(options: StartOptions): Promise<void> {
  const { clock, waitMs, signal } = options;
  const deadlineMs = clock.monotonicMs() + waitMs;
  let open = await undecided(options);
  while (open !== null && open.length > 0) {
    if (clock.monotonicMs() >= deadlineMs) throw undecidedError(open);
    await clock.sleep(POLL_MS, signal);
    const still = new Set(await undecided(options));
    open = open.filter((xid) => still.has(xid));
  }
}

function undecidedError(xids: readonly string[]): MillraceError {
  const named = xids.slice(0, XIDS_NAMED_MAX).join(" ");
  const more = xids.length > XIDS_NAMED_MAX ? ` and ${xids.length - XIDS_NAMED_MAX} more` : "";
  return new MillraceError(
    "XA_UNDECIDED",
    `XA transactions are prepared, and neither committed nor rolled back: ${named}${more}`,
    { hint: `Run \`XA COMMIT ${xids[0]!}\` or \`XA ROLLBACK ${xids[0]!}\`.` },
  );
}
