import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

interface Target {
  readonly host: string;
  readonly port: number;
}

/** What the proxy lets through, of all its connections. */
class Pace {
  stalled: boolean = false;
  bytesPerSecond: number = Number.POSITIVE_INFINITY;
  bytesLeft: number = Number.POSITIVE_INFINITY;

  /** How many of these bytes may pass. Fewer than asked: once, and nothing is counted behind it. */
  pass(bytes: number): number {
    const passed = Math.min(bytes, this.bytesLeft);
    this.bytesLeft = passed < bytes ? Number.POSITIVE_INFINITY : this.bytesLeft - passed;
    return passed;
  }
}

/** One direction of a connection that is passed on, at the pace the proxy allows. */
class Pipe {
  readonly #from: Socket;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, pace: Pace, exhausted: () => void) {
    this.#from = from;
    from.on("data", (data: Buffer) => {
      from.pause();
      const passed = pace.pass(data.length);
      to.write(data.subarray(0, passed), () => {
        if (passed < data.length) return exhausted();
        const ms = (data.length / pace.bytesPerSecond) * 1000;
        this.#timer = setTimeout(() => this.resume(pace.stalled), ms);
      });
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      clearTimeout(this.#timer);
      to.destroy();
    });
    if (pace.stalled) from.pause();
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
  readonly #servers = new Set<Socket>();
  readonly #pipes = new Set<Pipe>();
  readonly #pace = new Pace();
  #refusing = false;
  #target: Target;

  constructor(target: Target) {
    this.#target = target;
    this.#server = createServer((client) => {
      if (this.#refusing) client.resetAndDestroy();
      else this.#join(client, connect(this.#target));
    });
  }

  #join(client: Socket, server: Socket): void {
    this.#servers.add(server);
    server.on("close", () => this.#servers.delete(server));
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const pipe = new Pipe(from, to, this.#pace, () => this.cut());
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

  /** Of the connections that are open, as the server sees their other end. */
  get serverPorts(): readonly number[] {
    return [...this.#servers].flatMap(({ localPort }) => localPort ?? []);
  }

  /** Resets every connection, or closes it where something is on its way. New ones pass unless `refuse` says otherwise. */
  cut(): void {
    for (const socket of this.#sockets)
      if (socket.writableLength === 0) socket.resetAndDestroy();
      // A reset waits for what is still to be written, for ever where the other side does not read.
      else socket.destroy();
  }

  /** Does so as soon as that many more bytes have passed, in whichever direction; once. */
  cutAfter(bytes: number): void {
    this.#pace.bytesLeft = bytes;
  }

  /** New connections lead to another server from now on; those that there are stay. */
  turn({ host, port }: Target): void {
    this.#target = { host, port };
  }

  /** From now on new connections are reset (true) or let through (false). */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  /** Nothing passes any more, in either direction, and no connection is closed: as when a cable is pulled. */
  stall(): void {
    this.#pace.stalled = true;
    for (const pipe of this.#pipes) pipe.resume(true);
  }

  /** Ends a stall; what was sent meanwhile arrives. */
  resume(): void {
    this.#pace.stalled = false;
    for (const pipe of this.#pipes) pipe.resume(false);
  }

  /** The pace of every direction of every connection. */
  throttle(bytesPerSecond: number): void {
    this.#pace.bytesPerSecond = bytesPerSecond;
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
