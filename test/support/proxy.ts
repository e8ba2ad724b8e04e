import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

interface Target {
  readonly host: string;
  readonly port: number;
}

/** One direction of a connection that is passed on, at the pace the proxy allows. */
class Pipe {
  readonly #from: Socket;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, pace: () => { readonly stalled: boolean; readonly bytesPerSecond: number }) {
    this.#from = from;
    from.on("data", (data: Buffer) => {
      from.pause();
      to.write(data, () => {
        const ms = (data.length / pace().bytesPerSecond) * 1000;
        this.#timer = setTimeout(() => this.resume(pace().stalled), ms);
      });
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      clearTimeout(this.#timer);
      to.destroy();
    });
    if (pace().stalled) from.pause();
  }

  resume(stalled: boolean): void {
    if (stalled) this.#from.pause();
    else this.#from.resume();
  }
}

/**
 * Stands between a client and a server and spoils the network: cuts connections, lets them hang, or makes them slow.
 * The client connects to `host` and `port` of the proxy.
 */
export class Proxy implements AsyncDisposable {
  readonly host: string = "127.0.0.1";
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #pipes = new Set<Pipe>();
  #stalled = false;
  #refusing = false;
  #bytesPerSecond = Number.POSITIVE_INFINITY;

  constructor(target: Target) {
    this.#server = createServer((client) => {
      if (this.#refusing) client.resetAndDestroy();
      else this.#join(client, connect(target));
    });
  }

  #join(client: Socket, server: Socket): void {
    const pace = (): { stalled: boolean; bytesPerSecond: number } => ({
      stalled: this.#stalled,
      bytesPerSecond: this.#bytesPerSecond,
    });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const pipe = new Pipe(from, to, pace);
      this.#sockets.add(from);
      this.#pipes.add(pipe);
      from.on("close", () => {
        this.#sockets.delete(from);
        this.#pipes.delete(pipe);
      });
    }
  }

  async listen(): Promise<void> {
    this.#server.listen(0, this.host);
    await once(this.#server, "listening");
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Resets every connection. New ones are let through unless `refuse` says otherwise. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** From now on new connections are reset (true) or let through (false). */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  /** Nothing passes any more, in either direction, and no connection is closed: as when a cable is pulled. */
  stall(): void {
    this.#stalled = true;
    for (const pipe of this.#pipes) pipe.resume(true);
  }

  /** Ends a stall; what was sent meanwhile arrives. */
  resume(): void {
    this.#stalled = false;
    for (const pipe of this.#pipes) pipe.resume(false);
  }

  /** The pace of every direction of every connection. */
  throttle(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** `await using proxy = await startProxy(db)`. */
export async function startProxy(target: Target): Promise<Proxy> {
  const proxy = new Proxy({ host: target.host, port: target.port });
  await proxy.listen();
  return proxy;
}
