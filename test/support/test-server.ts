import { createMysqlDatabase, type TestMysqlDatabase } from "./mysql.ts";
import { createDatabase, type TestDatabase } from "./postgres.ts";

/** Every server that a promise is held to: each newest, and the oldest PostgreSQL. */
export const SERVERS = ["postgres", "oldest-postgres", "mysql", "mariadb"] as const;
export type ServerName = (typeof SERVERS)[number];

/** A database of a test's own, on whichever server. */
export type AnyDatabase = TestDatabase | TestMysqlDatabase;

/** An empty database: `await using db = await createDatabaseOn("mariadb")`. */
export function createDatabaseOn(server: ServerName): Promise<AnyDatabase> {
  switch (server) {
    case "postgres":
      return createDatabase("newest");
    case "oldest-postgres":
      return createDatabase("oldest");
    case "mysql":
    case "mariadb":
      return createMysqlDatabase(server);
  }
}
