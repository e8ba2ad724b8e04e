import { once } from "node:events";
import { createServer, Socket, type AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { bulkSocket, takePieces } from "./bulk-socket.ts";

/** The two ends of a connection; `make` makes the client's. */
async function connected(make: () => Socket): Promise<{ client: Socket; peer: Socket } & Disposable> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = make().connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [[peer]] = (await Promise.all([once(server, "connection"), once(client, "connect")])) as [[Socket], unknown];
  return {
    client,
    peer,
    [Symbol.dispose](): void {
      client.destroy();
      peer.destroy();
      server.close();
    },
  };
}

describe.each([
  ["a bulk socket", bulkSocket],
  ["any other socket", () => new Socket()],
])("takePieces from %s", (_, make) => {
  it("takes pieces where the listener would get them, and gives it the rest back", async () => {
    using ends = await connected(make);
    const { client, peer } = ends;
    const heard: Buffer[] = [];
    client.on("data", (bytes: Buffer) => heard.push(bytes));
    const told = once(client, "data");
    peer.write("before");
    await told;

    const taken: string[] = [];
    let release: (rest: Uint8Array) => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = takePieces(client, (piece) => {
        taken.push(Buffer.from(piece).toString());
        if (!taken.join("").endsWith("|rest")) return;
        release(piece.subarray(piece.length - 4));
        resolve();
      });
    });
    peer.write("rows|rest");
    await released;
    const again = once(client, "data");
    peer.write(" and after");
    await again;

    expect(taken.join("")).toBe("rows|rest");
    // Kept all the while, in memory of their own.
    expect(heard.map(String)).toEqual(["before", "rest", " and after"]);
  });

  it("refuses a socket that somebody else reads too", async () => {
    using ends = await connected(make);
    expect(() => takePieces(ends.client, () => undefined)).toThrow("other readers");
    ends.client.on("data", () => undefined).on("data", () => undefined);
    expect(() => takePieces(ends.client, () => undefined)).toThrow("other readers");
  });
});
