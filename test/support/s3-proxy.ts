import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { waitFor } from "./wait-for.ts";

/** What a request is for. */
export type S3Operation =
  | "create-upload"
  | "part"
  | "complete"
  | "abort-upload"
  | "list-uploads"
  | "list"
  | "put"
  | "get"
  | "head"
  | "delete";

/** `before`: the server never hears of the request. `behind`: it has done it, and only the answer is spoiled. */
export type S3Fault =
  | {
      readonly kind: "answer";
      readonly when: "before" | "behind";
      readonly status: number;
      readonly code: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** Between the tags of the error. */
      readonly detail?: string;
      /** In place of the error. */
      readonly body?: string;
    }
  | { readonly kind: "reset"; readonly when: "before" | "behind" }
  | { readonly kind: "silence"; readonly when: "before" | "behind" }
  /** Half of the answer's body, and a reset. */
  | { readonly kind: "torn" };

interface Target {
  readonly host: string;
  readonly port: number;
}

interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** Stands between a client and an S3 server, knows what each request is for, and spoils those that a test names. */
export class S3FaultProxy implements AsyncDisposable {
  readonly host: string = "127.0.0.1";
  /** In the order in which they came. */
  readonly seen: S3Operation[] = [];
  readonly #target: Target;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #faults = new Map<S3Operation, S3Fault[]>();
  readonly #held = new Map<S3Operation, Promise<void>>();
  readonly #server: Server;

  constructor(target: Target) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => {
      // A client that has gone, or a server that has been ended, is what tests are about.
      void this.#serve(incoming, outgoing).catch(() => outgoing.destroy());
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, this.host);
    await once(this.#server, "listening");
  }

  /** Spoils the next requests for that, one fault each; those behind pass. */
  spoil(operation: S3Operation, ...faults: readonly S3Fault[]): void {
    this.#faults.set(operation, [...(this.#faults.get(operation) ?? []), ...faults]);
  }

  /** Resolves when every fault for that has hit a request. */
  async untilSpoiled(...operations: readonly S3Operation[]): Promise<void> {
    const left = (): readonly S3Operation[] => operations.filter((it) => (this.#faults.get(it)?.length ?? 0) > 0);
    await waitFor(`requests to be spoiled: ${operations.join(", ")}`, () => left().length === 0);
  }

  /** What was not spoiled yet will not be. */
  spare(): void {
    this.#faults.clear();
  }

  /** From now on no request for that is passed on, until the function that it returns is called. */
  hold(operation: S3Operation): () => void {
    let release: () => void = () => undefined;
    this.#held.set(operation, new Promise((resolve) => (release = resolve)));
    return () => {
      this.#held.delete(operation);
      release();
    };
  }

  count(operation: S3Operation): number {
    return this.seen.filter((it) => it === operation).length;
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const operation = operationOf(incoming);
    const body = await bodyOf(incoming);
    this.seen.push(operation);
    await this.#held.get(operation);
    const fault = this.#faults.get(operation)?.shift();
    if (fault === undefined) return send(outgoing, await this.#pass(incoming, body));
    const answer = fault.kind === "torn" || fault.when === "behind" ? await this.#pass(incoming, body) : null;
    switch (fault.kind) {
      case "answer":
        return send(outgoing, spoiled(fault));
      case "reset":
        return void outgoing.socket?.resetAndDestroy();
      case "silence":
        return;
      case "torn":
        if (answer !== null) tear(outgoing, answer);
    }
  }

  async #pass(incoming: IncomingMessage, body: Buffer): Promise<Answer> {
    const { method, url, rawHeaders } = incoming;
    const passed = request({ ...this.#target, agent: this.#agent, method, path: url, headers: rawHeaders });
    passed.end(body);
    const [answer] = (await once(passed, "response")) as [IncomingMessage];
    return { status: answer.statusCode ?? 500, headers: answer.rawHeaders, body: await bodyOf(answer) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }
}

/** `await using proxy = await startS3FaultProxy(inject("s3"))`. */
export async function startS3FaultProxy(target: Target): Promise<S3FaultProxy> {
  const proxy = new S3FaultProxy({ host: target.host, port: target.port });
  await proxy.listen();
  return proxy;
}

function operationOf({ method, url = "/" }: IncomingMessage): S3Operation {
  const { searchParams } = new URL(url, "http://s3");
  const [uploads, ofUpload] = [searchParams.has("uploads"), searchParams.has("uploadId")];
  switch (method) {
    case "POST":
      return searchParams.has("delete") ? "delete" : uploads ? "create-upload" : "complete";
    case "PUT":
      return ofUpload ? "part" : "put";
    case "DELETE":
      return ofUpload ? "abort-upload" : "delete";
    case "HEAD":
      return "head";
    default:
      return uploads ? "list-uploads" : searchParams.has("list-type") ? "list" : "get";
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function send(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, [...headers]).end(body);
}

function spoiled({
  status,
  code,
  headers = {},
  detail = "",
  body: instead,
}: Extract<S3Fault, { kind: "answer" }>): Answer {
  const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>spoiled by a test</Message>${detail}</Error>`;
  const body = Buffer.from(instead ?? (status === 200 ? "" : text));
  const fields = { "content-type": "application/xml", "content-length": String(body.length), etag: '"0"', ...headers };
  return { status, headers: Object.entries(fields).flat(), body };
}

function tear(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, [...headers]);
  outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => outgoing.socket?.resetAndDestroy());
}
