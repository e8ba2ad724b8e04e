import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort } from "./free-port.ts";

test("a port is given once, below those of outgoing connections", async () => {
  const mine = await Promise.all(Array.from({ length: 200 }, () => freePort()));
  expect(new Set(mine).size).toBe(200);
  expect(Math.min(...mine)).toBeGreaterThanOrEqual(10_000);
  expect(Math.max(...mine)).toBeLessThan(32_768);
});

test("a server can listen, stop and listen again at its port", async () => {
  const port = await freePort();
  for (let time = 0; time < 2; time++) {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    expect(server.address()).toMatchObject({ address: "127.0.0.1", port });
    server.close();
    await once(server, "close");
  }
});
