import { createConnection, type Connection } from "mysql2/promise";
import type { MysqlFlavour } from "./mysql-programs.ts";
import { mysqlConfig, type MysqlSettings, type PrivateMysql, startPrivateMysql } from "./private-mysql.ts";

/** MySQL's replicas log what they copy unless told otherwise. */
const REPLICA: Readonly<Record<MysqlFlavour, MysqlSettings>> = {
  mysql: { server_id: "12" },
  mariadb: { server_id: "12", log_slave_updates: "ON" },
};
const ANSWER_S = 30;

/** Two servers of one's own, where the second copies what the first commits, when it has committed it. */
export class ReplicatedMysql implements AsyncDisposable {
  readonly source: PrivateMysql;
  readonly replica: PrivateMysql;

  constructor(source: PrivateMysql, replica: PrivateMysql) {
    this.source = source;
    this.replica = replica;
  }

  get #isMysql(): boolean {
    return this.source.flavour === "mysql";
  }

  async start(): Promise<void> {
    const { host, port, user, password } = this.source;
    await on(this.replica, async (client) => {
      if (this.#isMysql)
        await client.query(
          `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = ?, SOURCE_PASSWORD = ?,
             SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1`,
          [host, port, user, password],
        );
      else
        await client.query(
          `CHANGE MASTER TO MASTER_HOST = ?, MASTER_PORT = ?, MASTER_USER = ?, MASTER_PASSWORD = ?, MASTER_USE_GTID = slave_pos`,
          [host, port, user, password],
        );
    });
    await this.copy();
  }

  /** Lets the replica copy on; resolves when it has all that the source has committed by now. */
  async copy(): Promise<void> {
    const gtids = await this.logged();
    const wait = this.#isMysql ? "WAIT_FOR_EXECUTED_GTID_SET" : "MASTER_GTID_WAIT";
    await on(this.replica, async (client) => {
      await client.query("START REPLICA");
      const late = await value(client, `SELECT ${wait}(?, ${ANSWER_S})`, [gtids]);
      if (String(late) !== "0") throw new Error(`the replica has not copied ${gtids} within ${ANSWER_S} s`);
    });
  }

  /** The GTIDs that the source has committed, as it writes them. */
  async logged(): Promise<string> {
    const variable = this.#isMysql ? "gtid_executed" : "gtid_binlog_pos";
    return String(await on(this.source, (client) => value(client, `SELECT @@global.${variable}`)));
  }

  /** From now on the replica lacks what the source commits. */
  async pause(): Promise<void> {
    await on(this.replica, (client) => client.query("STOP REPLICA"));
  }

  /** Kills the source, and makes the replica a server that stands for itself. */
  async failOver(): Promise<void> {
    await this.source.kill();
    await on(this.replica, async (client) => {
      await client.query("STOP REPLICA");
      await client.query("RESET REPLICA ALL");
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.replica[Symbol.asyncDispose]();
    await this.source[Symbol.asyncDispose]();
  }
}

async function on<Result>(server: PrivateMysql, work: (client: Connection) => Promise<Result>): Promise<Result> {
  const client = await createConnection(mysqlConfig(server));
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

async function value(client: Connection, sql: string, values: readonly unknown[] = []): Promise<unknown> {
  const [rows] = await client.query({ sql, rowsAsArray: true }, [...values]);
  return (rows as unknown[][])[0]?.[0];
}

/** `await using servers = await startReplicatedMysql("mariadb")`. */
export async function startReplicatedMysql(flavour: MysqlFlavour): Promise<ReplicatedMysql> {
  const [source, replica] = await Promise.all([
    startPrivateMysql({ flavour }),
    startPrivateMysql({ flavour, settings: REPLICA[flavour] }),
  ]);
  const servers = new ReplicatedMysql(source, replica);
  await servers.start();
  return servers;
}
