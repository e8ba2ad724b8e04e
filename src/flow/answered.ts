import type { Socket } from "node:net";

/** Beyond what a server itself needs to end a statement. */
const SILENCE = 1.25;

/** How long a server may be silent over a statement that it ends by then itself; 0: for ever. For `answered`. */
export function silenceMaxMs(limits: { readonly statementTimeoutMs: number; readonly lockTimeoutMs: number }): number {
  const { statementTimeoutMs, lockTimeoutMs } = limits;
  return statementTimeoutMs === 0 ? 0 : Math.max(statementTimeoutMs, lockTimeoutMs) * SILENCE;
}

/**
 * `work` over a socket, or an error that says so where nothing was heard on it for `silenceMs` meanwhile: the socket is
 * destroyed then, and nobody else waits on it either. 0: silence is no reason.
 */
export async function answered<T>(
  socket: Socket,
  silenceMs: number,
  work: () => Promise<T>,
  silent: () => Error,
): Promise<T> {
  if (silenceMs === 0) return await work();
  let late: Error | null = null;
  const onSilent = (): void => {
    late = silent();
    socket.destroy();
  };
  socket.setTimeout(silenceMs, onSilent);
  try {
    return await work();
  } catch (error) {
    throw late ?? error;
  } finally {
    socket.setTimeout(0, onSilent);
  }
}
