import { once } from "node:events";
import { type Server, createServer } from "node:net";

/** Below the ports that Linux (from 32,768) and macOS (from 49,152) give to outgoing connections. */
const FIRST_PORT = 10_000;
const PORT_COUNT = 22_768;
const ATTEMPTS_MAX = 100;
/** Where a port is held for this process. macOS has no such address: there two test runs at a time may meet. */
const HOLDING_HOST = "127.0.0.2";

/**
 * A port of 127.0.0.1 for a server that starts later, and may stop and start again. It stays this process's own until the
 * process ends: no other caller of this function gets it, here or in another process, and the system gives it to no outgoing
 * connection, as it may with a port that it chose itself, once nobody listens there.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORT_COUNT);
    const held = await listen(HOLDING_HOST, port);
    if (held === "in use") continue;
    const probe = await listen("127.0.0.1", port);
    if (typeof probe === "string") {
      if (typeof held !== "string") await close(held);
      continue;
    }
    await close(probe);
    return port;
  }
  throw new Error(`no free port of ${ATTEMPTS_MAX} tried between ${FIRST_PORT} and ${FIRST_PORT + PORT_COUNT - 1}`);
}

async function listen(host: string, port: number): Promise<Server | "in use" | "no such address"> {
  const server = createServer();
  server.listen({ host, port, exclusive: true });
  try {
    await once(server, "listening");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") return "in use";
    if (code === "EADDRNOTAVAIL") return "no such address";
    throw error;
  }
  server.unref();
  return server;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}
