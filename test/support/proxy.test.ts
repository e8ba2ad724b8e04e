import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { expect, it } from "vitest";
import { startProxy } from "./proxy.ts";

interface EchoServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

async function echoServer(): Promise<EchoServer> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

/** Resolves with as many bytes as were sent, when they have come back. */
async function echoed(socket: Socket, bytes: number): Promise<number> {
  let got = 0;
  socket.write(Buffer.alloc(bytes));
  while (got < bytes) got += ((await once(socket, "data")) as [Buffer])[0].length;
  return got;
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
