import type { Socket } from "node:net";

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
