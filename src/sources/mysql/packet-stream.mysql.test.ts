import { describe, expect, it } from "vitest";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../test/support/mysql.ts";
import { deadline, series, sourceOptions } from "../../../test/support/mysql-source.ts";
import type { SslMode } from "./config.ts";
import { Session } from "./connection.ts";
import { PacketStream, type PacketSink } from "./packet-stream.ts";
import { serverErrno, statementError } from "./server-error.ts";

const COM_QUERY = 0x03;
const EOF = 0xfe;
const ERR = 0xff;

function queryPayload(sql: string): Buffer {
  return Buffer.concat([Buffer.from([COM_QUERY]), Buffer.from(sql)]);
}

/** Keeps what it is given: packets as texts, and how long the long ones were. */
class Collector implements PacketSink {
  readonly packets: string[] = [];
  readonly longBytes: number[] = [];
  #long = 0;
  #eofs = 0;
  #held: { bytes: Uint8Array; start: number; end: number }[] = [];

  packet(bytes: Uint8Array, start: number, end: number): boolean {
    this.#held.push({ bytes, start, end });
    if (bytes[start] === ERR) return true;
    return bytes[start] === EOF && end - start < 9 && ++this.#eofs === 2;
  }

  part(_bytes: Uint8Array, start: number, end: number, last: boolean): void {
    this.#long += end - start;
    if (!last) return;
    this.longBytes.push(this.#long);
    this.#long = 0;
  }

  release(): void {
    for (const { bytes, start, end } of this.#held)
      this.packets.push(Buffer.from(bytes).toString("latin1", start, end));
    this.#held = [];
  }

  afterPiece(): Promise<void> | null {
    return null;
  }
}

const LIMITS = { statementTimeoutMs: 0, lockTimeoutMs: 1_000 };

function opened(db: TestMysqlDatabase, ssl: SslMode = "disable"): Promise<Session> {
  return Session.open(sourceOptions(db, { ssl }), LIMITS, deadline());
}

function streamed(session: Session, sql: string, sink: PacketSink): Promise<void> {
  return session.run(() => PacketStream.run(session.connection, queryPayload(sql), sink), deadline());
}

const CASES = (["mysql", "mariadb"] as const).flatMap((flavour) =>
  (["disable", "require"] as const).map((ssl) => [flavour, ssl] as const),
);

describe.each(CASES)("packets of %s (TLS: %s)", (flavour, ssl) => {
  it("come whole and in order, and mysql2 goes on behind them", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using session = await opened(db, ssl);
    const warnings: unknown[] = [];
    session.connection.on("warn", (warning) => warnings.push(warning));
    for (let round = 0; round < 3; round++) {
      const sink = new Collector();
      // So many packets that their numbers, which are a byte, have gone round.
      await streamed(session, `SELECT g, REPEAT('x', g) FROM ${series(2000)} ORDER BY g`, sink);
      const rows = sink.packets.slice(4, -1);
      expect(rows.map((row) => Number(row.slice(1, 1 + row.charCodeAt(0))))).toEqual(
        Array.from({ length: 2000 }, (_, i) => i + 1),
      );
      expect(rows.every((row, i) => row.endsWith("x".repeat(i + 1)))).toBe(true);
      expect(await session.query("SELECT 'on' AS it_goes", [], deadline())).toEqual([{ it_goes: "on" }]);
      await streamed(session, "SELECT 1, 2", new Collector());
    }
    expect(warnings).toEqual([]);
    expect(session.broken).toBe(false);
  });

  it("end with a server's error, which leaves the connection as it is", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using session = await opened(db, ssl);
    const failing = streamed(session, "SELECT * FROM no.where", new Collector());
    await expect(failing).rejects.toSatisfy((error) => [1049, 1146].includes(serverErrno(error)!));
    const late = new Collector();
    await expect(
      streamed(session, `SELECT g, IF(g < 90, 1, (SELECT 1 UNION SELECT 2)) FROM ${series(99)}`, late),
    ).rejects.toSatisfy((error) => serverErrno(error) === 1242);
    expect(await session.query("SELECT 'on' AS it_goes", [], deadline())).toEqual([{ it_goes: "on" }]);
  });

  it("of 16 MB and more come in parts, to the byte", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("SET GLOBAL max_allowed_packet = ?", [1 << 26]);
    await using session = await opened(db, ssl);
    for (const length of [16_777_215 - 5, 16_777_215 - 4, 16_777_215, 2 * 16_777_215 - 9]) {
      const sink = new Collector();
      await streamed(session, `SELECT REPEAT('x', ${length})`, sink);
      const bytes = length + (length < 1 << 24 ? 4 : 9);
      expect(bytes < 16_777_215 ? [sink.packets[3]!.length] : sink.longBytes).toEqual([bytes]);
      expect(await session.query("SELECT 'on' AS it_goes", [], deadline())).toEqual([{ it_goes: "on" }]);
    }
  });

  it("do not come while the sink asks for a pause", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using session = await opened(db, ssl);
    const inner = new Collector();
    let paused = false;
    let pauses = 0;
    await streamed(session, `SELECT g, REPEAT('x', 1000) FROM ${series(3000)}`, {
      packet: (bytes, start, end) => {
        expect(paused).toBe(false);
        return inner.packet(bytes, start, end);
      },
      part: (bytes, start, end, last) => inner.part(bytes, start, end, last),
      release: () => inner.release(),
      afterPiece: async () => {
        paused = true;
        pauses++;
        await db.query("SELECT 1");
        paused = false;
      },
    });
    expect(inner.packets).toHaveLength(3000 + 5);
    expect(pauses).toBeGreaterThan(5);
  });

  it("that the sink refuses end the connection", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using session = await opened(db, ssl);
    const refusing: PacketSink = {
      packet: () => {
        throw new TypeError("no more");
      },
      part: () => undefined,
      release: () => undefined,
      afterPiece: () => null,
    };
    await expect(PacketStream.run(session.connection, queryPayload("SELECT 1"), refusing)).rejects.toThrow("no more");
    await expect(session.query("SELECT 1", [], deadline())).rejects.toMatchObject({ code: "SOURCE_CONNECTION_LOST" });
  });

  it("stop when the connection is killed", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using session = await opened(db, ssl);
    const { threadId } = session.connection;
    let killing: Promise<unknown> | null = null;
    const inner = new Collector();
    const reading = PacketStream.run(
      session.connection,
      queryPayload(`SELECT g, REPEAT('x', 1000) FROM ${series(300_000)}`),
      {
        packet: (bytes, start, end) => inner.packet(bytes, start, end),
        part: () => undefined,
        release: () => inner.packets.splice(0),
        afterPiece: () => {
          killing ??= db.query("KILL ?", [threadId]);
          return killing.then(() => undefined);
        },
      },
    );
    const failed: unknown = await reading.then(
      () => null,
      (error: unknown) => error,
    );
    expect(statementError(sourceOptions(db), failed)).toMatchObject({ code: "SOURCE_CONNECTION_LOST" });
    await expect(session.query("SELECT 1", [], deadline())).rejects.toMatchObject({ code: "SOURCE_CONNECTION_LOST" });
  });
});
