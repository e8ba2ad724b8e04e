import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ComparedDatabase, tableDifferences } from "../support/compare.ts";
import { lakeViews } from "../support/lake.ts";
import { millraceProcess } from "../support/millrace-process.ts";
import { createMysqlDatabase } from "../support/mysql.ts";
import { createDatabase } from "../support/postgres.ts";
import { projectRoot } from "../support/project-root.ts";
import { createBucket, startPrivateS3 } from "../support/s3.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";
import { downloaded } from "../conformance/parquet-harness.ts";

/** An example as it stands in config/, but for the database's name: that of the shop is the test's own. */
class Example {
  readonly #folder: TempFolder;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(folder: TempFolder, environment: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.#environment = environment;
  }

  async write(name: string, { database }: ComparedDatabase): Promise<void> {
    const text = await readFile(join(projectRoot, "config", name), "utf8");
    await writeFile(this.#folder.file("example.yaml"), text.replaceAll("shop", database));
  }

  async run(command: string, ...args: readonly string[]): Promise<string> {
    await using process = millraceProcess([command, this.#folder.file("example.yaml"), ...args], {
      env: this.#environment,
      cwd: this.#folder.path,
    });
    const { code } = await process.exit();
    if (code !== 0) throw new Error(`millrace ${command} did not end well\n${process.output}`);
    return process.stdout;
  }
}

test("config/postgres-to-parquet.yaml runs as it stands", async () => {
  await using folder = tempFolder();
  await using db = await createDatabase();
  await db.query("CREATE TABLE orders (id int PRIMARY KEY, v text); INSERT INTO orders VALUES (1, 'a'), (2, 'b')");
  const [PGHOST, PGPORT, PGUSER, PGPASSWORD] = [db.host, String(db.port), db.user, db.password];
  const example = new Example(folder, { PGHOST, PGPORT, PGUSER, PGPASSWORD });
  await example.write("postgres-to-parquet.yaml", db);
  expect(await example.run("plan")).toMatch(/public\.orders → public\/orders\n[^]+1 table; nothing was written/);
  await example.run("run", "--until", "caught-up");
  await db.query(
    "UPDATE orders SET v = 'c' WHERE id = 1; DELETE FROM orders WHERE id = 2; INSERT INTO orders VALUES (3)",
  );
  await example.run("run", "--until", "caught-up");
  const duckdb = await lakeViews(folder.file("lake"), folder.file("lake.duckdb"));
  const target = '"public"."orders"';
  expect(await tableDifferences({ source: db, table: "orders", duckdb, target })).toEqual([]);
});

test("config/mysql-to-parquet-s3.yaml runs as it stands", async () => {
  await using folder = tempFolder();
  await using server = await startPrivateS3();
  await using bucket = await createBucket(server);
  await using db = await createMysqlDatabase("mysql");
  await db.query("CREATE TABLE orders (id int PRIMARY KEY, v varchar(10))");
  await db.query("INSERT INTO orders VALUES (1, 'a'), (2, 'b')");
  const example = new Example(folder, {
    MYSQL_HOST: db.host,
    MYSQL_PORT: String(db.port),
    MYSQL_USER: db.user,
    MYSQL_PWD: db.password,
    S3_BUCKET: bucket.name,
    S3_ENDPOINT: `http://${server.host}:${server.port}`,
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
  });
  await example.write("mysql-to-parquet-s3.yaml", db);
  await example.run("plan");
  await example.run("run", "--until", "caught-up");
  await db.query("UPDATE orders SET v = 'c' WHERE id = 1");
  await db.query("DELETE FROM orders WHERE id = 2");
  await example.run("run", "--until", "caught-up");
  const options = bucket.options({ prefix: `${db.database}/` });
  const files = await downloaded({ kind: "s3", ...options }, folder.file("copy"));
  const duckdb = await lakeViews(files, folder.file("lake.duckdb"), `s3://${bucket.name}/${db.database}`);
  const target = `"${db.database}"."orders"`;
  expect(await tableDifferences({ source: db, table: "orders", duckdb, target })).toEqual([]);
});
