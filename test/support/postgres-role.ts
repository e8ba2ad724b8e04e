import pg from "pg";
import type { TestDatabase } from "./postgres.ts";
import type { PostgresAddress } from "./private-postgres.ts";

/** A login of a test's own, with a password that stands nowhere else. Dropped with what it owns. */
export class TestRole implements PostgresAddress, AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly #db: TestDatabase;

  constructor(db: TestDatabase) {
    this.host = db.host;
    this.port = db.port;
    this.database = db.database;
    this.user = `role_${db.database}`;
    this.password = `secret-of-${db.database}`;
    this.#db = db;
  }

  async create(attributes: string): Promise<void> {
    const name = pg.escapeIdentifier(this.user);
    await this.#db.query(`CREATE ROLE ${name} LOGIN ${attributes} PASSWORD ${pg.escapeLiteral(this.password)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const name = pg.escapeIdentifier(this.user);
    await this.#db.query(`REASSIGN OWNED BY ${name} TO CURRENT_USER`);
    await this.#db.query(`DROP OWNED BY ${name}`);
    await this.#db.query(`DROP ROLE ${name}`);
  }
}

/** `await using role = await createRole(db, "SUPERUSER")`, declared behind the database. */
export async function createRole(db: TestDatabase, attributes: string): Promise<TestRole> {
  const role = new TestRole(db);
  await role.create(attributes);
  return role;
}
