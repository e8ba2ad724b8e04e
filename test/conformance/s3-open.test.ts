import { createServer } from "node:http";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { createStore } from "../../src/stores/open-store.ts";
import type { ObjectStore } from "../../src/stores/object-store.ts";
import type { S3Options } from "../../src/stores/s3/options.ts";
import { freePort } from "../support/free-port.ts";
import { patternBytes } from "../support/pattern-bytes.ts";
import { projectRoot } from "../support/project-root.ts";
import { createBucket, startPrivateS3, type TestBucket } from "../support/s3.ts";
import { startS3FaultProxy, type S3FaultProxy } from "../support/s3-proxy.ts";
import { bytesOf, hurriedClock, keysOf, leftoverKeys, staged } from "./store.ts";

const { signal } = new AbortController();

let bucket: TestBucket;
let proxy: S3FaultProxy;
beforeEach(async () => {
  bucket = await createBucket();
  proxy = await startS3FaultProxy(inject("s3"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await proxy[Symbol.asyncDispose]();
  await bucket[Symbol.asyncDispose]();
});

function storeWith(change: Partial<S3Options>): ObjectStore {
  return createStore({ kind: "s3", ...bucket.options({ attemptsMax: 2, ...change }, proxy) }, hurriedClock);
}

/** What opening says. */
async function refusal(change: Partial<S3Options> = {}): Promise<unknown> {
  await using store = storeWith(change);
  return await store.open(signal).catch((error: unknown) => error);
}

test("the client's own warning of an older Node.js is switched off by the variable that the command sets", () => {
  const main = readFileSync(join(projectRoot, "src", "cli", "main.ts"), "utf8");
  const name = /process\.env\["(AWS_SDK_\w+)"\] = "true"/.exec(main)![1]!;
  const program = 'import { S3 } from "@aws-sdk/client-s3"; new S3({ region: "us-east-1" });';
  const args = ["--input-type=module", "--eval", program];
  const env = { PATH: process.env["PATH"], [name]: "true" };
  expect(spawnSync(process.execPath, args, { cwd: projectRoot, env, encoding: "utf8" })).toMatchObject({
    status: 0,
    stderr: "",
  });
});

test("a bucket that does not exist", async () => {
  expect(await refusal({ bucket: "not-there" })).toMatchObject({
    code: "STORE_MISSING",
    message: expect.stringContaining("s3://not-there/lake/"),
  });
});

test("objects whose names are no keys are passed over, like the folders that consoles make", async () => {
  await using store = storeWith({});
  await store.open(signal);
  await store.put("a", bytesOf("a"), null, signal);
  await bucket.makeFolders("lake/", "lake/empty/");
  expect(await bucket.names()).toEqual(["lake/", "lake/a", "lake/empty/"]);
  expect(await keysOf(store)).toEqual(["a"]);
});

test("an access key that nobody knows, and a secret that is not the key's", async () => {
  const { accessKeyId, secretAccessKey } = inject("s3");
  const unknown = await refusal({ credentials: { accessKeyId: "nobody", secretAccessKey } });
  const wrong = await refusal({ credentials: { accessKeyId, secretAccessKey: "not its secret" } });
  for (const error of [unknown, wrong]) expect(error).toMatchObject({ code: "STORE_CREDENTIALS" });
  expect(String(wrong)).not.toContain("not its secret");
});

test("nobody at the endpoint, and no such host", async () => {
  const nobody = await refusal({ endpoint: `http://127.0.0.1:${await freePort()}` });
  expect(nobody).toMatchObject({ code: "STORE_UNREACHABLE", message: expect.stringContaining("ECONNREFUSED") });
  expect(await refusal({ endpoint: "http://no-such-host.invalid" })).toMatchObject({ code: "STORE_UNREACHABLE" });
});

test.each(["", "<html>hello", "<html>hello</html>"])("an endpoint that is no S3 and answers %j", async (page) => {
  const web = createServer((_, answer) => answer.writeHead(200).end(page));
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  const { port } = web.address() as AddressInfo;
  expect(await refusal({ endpoint: `http://127.0.0.1:${port}` })).toMatchObject({
    code: "STORE_FAILED",
    hint: expect.stringContaining("endpoint"),
  });
  web.close();
  web.closeAllConnections();
});

test.each([302, 400, 404])("an endpoint that is no S3 and answers with status %i", async (status) => {
  const web = createServer((_, answer) => answer.writeHead(status).end("<html>hello</html>"));
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  const { port } = web.address() as AddressInfo;
  expect(await refusal({ endpoint: `http://127.0.0.1:${port}` })).toMatchObject({
    code: "STORE_FAILED",
    message: expect.stringMatching(/: (status \d+|NotFound \(404\))/),
    hint: expect.stringContaining("endpoint"),
  });
  web.close();
  web.closeAllConnections();
});

test("an endpoint with a path that belongs to no S3", async () => {
  const { host, port } = inject("s3");
  expect(await refusal({ endpoint: `http://${host}:${port}/${bucket.name}` })).toMatchObject({
    code: "STORE_FAILED",
    hint: expect.stringContaining("endpoint"),
  });
});

test("TLS where nobody speaks it, and none where everybody does: the hint has the right beginning", async () => {
  const { host, port } = inject("s3");
  expect(await refusal({ endpoint: `https://${host}:${port}` })).toMatchObject({
    code: "STORE_UNREACHABLE",
    message: expect.stringMatching(/EPROTO: wrong version number$/),
    hint: expect.stringContaining("http://"),
  });
  // A port that speaks TLS ends the connection by what is no greeting of its own.
  const tls = createTlsServer();
  tls.listen(0, "127.0.0.1");
  await once(tls, "listening");
  expect(await refusal({ endpoint: `http://127.0.0.1:${(tls.address() as AddressInfo).port}` })).toMatchObject({
    code: "STORE_UNREACHABLE",
    hint: expect.stringContaining("TLS"),
  });
  tls.close();
});

test("a server that says nothing: the message is in nobody's words but ours", async () => {
  const silent = createNetServer();
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const refused = await refusal({ endpoint, requestTimeoutMs: 200 });
  expect(refused).toMatchObject({
    code: "STORE_UNREACHABLE",
    message: expect.stringMatching(/after 2 attempts: the request socket timed out after 200 ms of inactivity\.$/),
  });
  silent.close();
});

test("a bucket in another region: the hint names it", async () => {
  const refused = { code: "STORE_REGION", hint: expect.stringContaining("eu-central-1") };
  const headers = { "x-amz-bucket-region": "eu-central-1" };
  proxy.spoil("list", { kind: "answer", when: "before", status: 301, code: "PermanentRedirect", headers });
  expect(await refusal()).toMatchObject(refused);
  const detail = "<Region>eu-central-1</Region>";
  proxy.spoil("list", { kind: "answer", when: "before", status: 400, code: "AuthorizationHeaderMalformed", detail });
  expect(await refusal()).toMatchObject(refused);
});

test("no region at all, where AWS is asked", async () => {
  for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION"]) vi.stubEnv(name, undefined);
  expect(await refusal({ endpoint: null, region: null })).toMatchObject({
    code: "STORE_REGION",
    message: expect.stringMatching(/lake\/: Region is missing$/),
    hint: expect.stringContaining("AWS_REGION"),
  });
});

test("no right to list, to list uploads, to write, or to delete", async () => {
  const denied = { kind: "answer", when: "before", status: 403, code: "AccessDenied" } as const;
  for (const operation of ["list", "list-uploads", "put", "delete"] as const) {
    proxy.spoil(operation, denied);
    expect(await refusal()).toMatchObject({
      code: "STORE_DENIED",
      hint: expect.stringContaining("ListBucketMultipartUploads"),
    });
  }
});

test("no credentials to be found", async () => {
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  expect(await refusal({ credentials: null })).toMatchObject({ code: "STORE_CREDENTIALS" });
});

test("conditions that a server refuses to know, or writes without a look at", async () => {
  const plain = { kind: "answer", when: "behind", status: 200, code: "" } as const;
  const unknown = { kind: "answer", when: "before", status: 501, code: "NotImplemented" } as const;
  await using store = storeWith({});
  proxy.spoil("put", plain, unknown);
  expect(await store.open(signal)).toEqual({ conditionalPut: false, conditionalReplace: false });
  proxy.spoil("put", plain, plain);
  expect(await store.open(signal)).toEqual({ conditionalPut: false, conditionalReplace: false });
  expect(await store.open(signal)).toEqual({ conditionalPut: true, conditionalReplace: true });
  expect(await keysOf(store)).toEqual([]);
});

test("a server that refuses today's checksums gets those that it knows", async () => {
  await using server = await startPrivateS3({ knowsChecksums: false });
  await using old = await createBucket(server);
  await using store = createStore({ kind: "s3", ...old.options() }, hurriedClock);
  expect(await store.open(signal)).toEqual({ conditionalPut: true, conditionalReplace: true });
  await store.put("a", bytesOf("a"), null, signal);
  const content = patternBytes((5 << 20) + 1);
  await store.complete(await staged(store, "b", content), signal);
  expect(Buffer.compare((await store.get("b", null, signal))!, content)).toBe(0);
  expect(await keysOf(store)).toEqual(["a", "b"]);
  await store.delete(["a", "b", "c"], signal);
  expect(await keysOf(store)).toEqual([]);
  expect(await leftoverKeys(store)).toEqual([]);
});

test("credentials that have expired are renewed once, and those of a file that cannot be are an error", async () => {
  const { accessKeyId, secretAccessKey } = inject("s3");
  let asked = 0;
  const Expiration = new Date(Date.now() + 3_600_000).toISOString();
  const source = createServer((_, answer) => {
    asked += 1;
    const found = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: `token ${asked}`, Expiration };
    answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(found));
  });
  source.listen(0, "127.0.0.1");
  await once(source, "listening");
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", `http://127.0.0.1:${(source.address() as AddressInfo).port}/`);
  const expired = { kind: "answer", when: "before", status: 400, code: "ExpiredToken" } as const;

  await using store = storeWith({ credentials: null });
  await store.put("a", bytesOf("a"), null, signal);
  expect(asked).toBe(1);
  const committable = await staged(store, "b", bytesOf("b"));
  proxy.spoil("complete", expired);
  await store.complete(committable, signal);
  expect(asked).toBe(2);
  proxy.spoil("get", expired, expired);
  await expect(store.get("a", null, signal)).rejects.toMatchObject({ code: "STORE_CREDENTIALS" });
  expect(asked).toBe(3);
  source.close();
  source.closeAllConnections();

  await using fixed = storeWith({});
  proxy.spoil("get", expired);
  await expect(fixed.get("a", null, signal)).rejects.toMatchObject({ code: "STORE_CREDENTIALS" });
});
