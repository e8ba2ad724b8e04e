import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { expect, it } from "vitest";
import { startProxy } from "./proxy.ts";

interface EchoServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** How many there have been. */
  readonly connections: number;
}

async function echoServer(): Promise<EchoServer> {
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections += 1;
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

/** Resolves with as many bytes as were sent, when they have come back. */
function echoed(socket: Socket, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let got = 0;
    const onData = (data: Buffer): void => {
      got += data.length;
      if (got < bytes) return;
      socket.off("data", onData);
      resolve(got);
    };
    socket.on("data", onData).once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
    socket.write(Buffer.alloc(bytes));
  });
}

it("passes bytes on, cuts, refuses, and lets through again", async () => {
  await using server = await echoServer();
  await using proxy = await startProxy(server);
  const socket = connect(proxy);
  expect(await echoed(socket, 300_000)).toBe(300_000);
  expect(proxy.connections).toBe(1);
  proxy.refuse(true);
  proxy.cut();
  await expect(once(socket, "data")).rejects.toThrow(/ECONNRESET/);
  await expect(once(connect(proxy), "data")).rejects.toThrow(/ECONNRESET/);
  proxy.refuse(false);
  expect(await echoed(connect(proxy), 10)).toBe(10);
});

it("holds everything back while it stalls, and loses nothing of it", async () => {
  await using server = await echoServer();
  await using proxy = await startProxy(server);
  await using direct = await startProxy(server);
  const socket = connect(proxy);
  await echoed(socket, 1);
  proxy.stall();
  let came = 0;
  socket.on("data", (data: Buffer) => (came += data.length));
  socket.write("held back");
  // By the time that bytes have gone round on another connection they would have come on this one.
  await echoed(connect(direct), 1_000_000);
  expect(came).toBe(0);
  proxy.resume();
  await once(socket, "data");
  expect(came).toBe(9);
});

it("keeps to the pace it is given", async () => {
  await using server = await echoServer();
  await using proxy = await startProxy(server);
  const socket = connect(proxy);
  proxy.throttle(1_000_000);
  const start = performance.now();
  await echoed(socket, 200_000);
  expect(performance.now() - start).toBeGreaterThan(150);
});

it("cuts when so many bytes have passed, and lets new connections through", async () => {
  await using server = await echoServer();
  await using proxy = await startProxy(server);
  const socket = connect(proxy);
  await echoed(socket, 1_000);
  proxy.cutAfter(300_000);
  await expect(echoed(socket, 1_000_000)).rejects.toThrow(/ECONNRESET|closed/);
  expect(await echoed(connect(proxy), 1_000_000)).toBe(1_000_000);
});

it("leads new connections to another server", async () => {
  await using server = await echoServer();
  await using other = await echoServer();
  await using proxy = await startProxy(server);
  const before = connect(proxy);
  await echoed(before, 1);
  const connected = server.connections;
  proxy.turn(other);
  expect(await echoed(connect(proxy), 10)).toBe(10);
  expect(await echoed(before, 10)).toBe(10);
  expect([connected, server.connections, other.connections]).toEqual([1, 1, 1]);
});
