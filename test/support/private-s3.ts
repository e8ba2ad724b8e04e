import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { removeLeftovers, serverFolder } from "./leftovers.ts";
import { projectRoot } from "./project-root.ts";
import { waitFor, within } from "./wait-for.ts";

/** What a client needs, apart from the bucket's name. */
export interface S3Address {
  readonly host: string;
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;
const LOGGING = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%d %level %msg%n%ex</pattern></encoder></appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
`;

/** S3Proxy over a folder of its own, on a free port of 127.0.0.1. Ended and removed by `await using`. */
export class PrivateS3 implements S3Address, AsyncDisposable {
  readonly host: string = "127.0.0.1";
  readonly accessKeyId: string = "a-test";
  readonly secretAccessKey: string = "a test's own secret";
  readonly port: number;
  readonly dataFolder: string;
  readonly #folder: string;
  readonly #knowsChecksums: boolean;
  #process: ChildProcess | null = null;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(place: { folder: string; port: number; knowsChecksums: boolean }) {
    this.#folder = place.folder;
    this.#knowsChecksums = place.knowsChecksums;
    this.port = place.port;
    this.dataFolder = join(place.folder, "data");
  }

  async start(): Promise<void> {
    mkdirSync(this.dataFolder, { recursive: true });
    const [properties, logging, logFile] = ["s3proxy.conf", "logback.xml", "server.log"].map((name) =>
      join(this.#folder, name),
    ) as [string, string, string];
    writeFileSync(properties, this.#properties());
    writeFileSync(logging, LOGGING);
    const log = openSync(logFile, "a");
    // The data folder is named there too, by which a server is known that an earlier run has left behind.
    const system = ["-Xmx256m", "-XX:TieredStopAtLevel=1", `-Dlogback.configurationFile=${logging}`];
    const classes = join(projectRoot, ".cache", "s3proxy", "lib", "*");
    const data = `-Dmillrace.data=${this.dataFolder}`;
    const args = [...system, data, "-cp", classes, "org.gaul.s3proxy.Main", "--properties", properties];
    const child = spawn(javaProgram(), args, { cwd: this.#folder, stdio: ["ignore", log, log] });
    closeSync(log);
    this.#process = child;
    this.#exited = once(child, "exit");
    try {
      await once(child, "spawn");
      writeFileSync(join(this.#folder, "server.pid"), String(child.pid));
      await waitFor(`S3Proxy to answer on port ${this.port}`, () => this.#answers(), START_DEADLINE_MS);
    } catch (error) {
      await this.stop().catch(() => undefined);
      const tail = readFileSync(logFile, "utf8").slice(-2000);
      throw new Error(`S3Proxy did not start; the end of its log ${logFile}:\n${tail}`, { cause: error });
    }
  }

  #properties(): string {
    const properties = {
      "s3proxy.endpoint": `http://${this.host}:${this.port}`,
      "s3proxy.authorization": "aws-v2-or-v4",
      "s3proxy.identity": this.accessKeyId,
      "s3proxy.credential": this.secretAccessKey,
      // It refuses the headers of today's checksums otherwise, as servers do that are older than them.
      "s3proxy.ignore-unknown-headers": String(this.#knowsChecksums),
      "jclouds.provider": "filesystem-nio2",
      "jclouds.filesystem.basedir": this.dataFolder,
    };
    return Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join("");
  }

  /** Rejects where no waiting can help: the process is gone. */
  async #answers(): Promise<boolean> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) throw new Error("the server has ended");
    try {
      await (await fetch(`http://${this.host}:${this.port}/`)).arrayBuffer();
      return true;
    } catch {
      return false;
    }
  }

  /** There is nothing that it would have to write down. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    child.kill("SIGKILL");
    await within("S3Proxy to end", this.#exited, STOP_DEADLINE_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The one that scripts/java.mjs has unpacked where this machine had none of its own. */
function javaProgram(): string {
  const unpacked = join(projectRoot, ".cache", "java", "java");
  return existsSync(unpacked) ? unpacked : "java";
}

/** `knowsChecksums`: whether it takes requests that carry a CRC32, as AWS does; it does not look at it. */
export async function startPrivateS3(options: { readonly knowsChecksums?: boolean } = {}): Promise<PrivateS3> {
  removeLeftovers();
  const folder = mkdtempSync(join(tmpdir(), serverFolder("s3")));
  const server = new PrivateS3({ folder, port: await freePort(), knowsChecksums: options.knowsChecksums ?? true });
  await server.start();
  return server;
}
