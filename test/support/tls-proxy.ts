import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import { generate } from "selfsigned";
import { tempFolder } from "./temp-folder.ts";

/** A server behind TLS, with a certificate for `localhost` that nobody else has signed. */
export class TlsProxy implements AsyncDisposable {
  readonly host: string = "localhost";
  /** The certificate, for clients that are to trust it. */
  readonly certificateFile: string;
  readonly #folder: ReturnType<typeof tempFolder>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(folder: ReturnType<typeof tempFolder>, server: Server) {
    this.#folder = folder;
    this.#server = server;
    this.certificateFile = folder.file("certificate.pem");
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<TlsProxy> {
    const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }], {
      extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }],
    });
    const server = createServer({ key, cert });
    const proxy = new TlsProxy(tempFolder(), server);
    writeFileSync(proxy.certificateFile, cert);
    server.on("secureConnection", (client) => proxy.#join(client, connect(target.port, target.host)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #join(client: Socket, server: Socket): void {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await this.#folder[Symbol.asyncDispose]();
  }
}
