import { expect, it } from "vitest";
import { sourceOptions } from "../../../test/support/mysql-source.ts";
import { statementError } from "./server-error.ts";

const OPTIONS = sourceOptions({ host: "db.example.com", port: 3306, user: "u", password: "p", database: "d" });

it("says what to do where the server wants a login that mysql2 does not know", () => {
  // What mysql2 3.24.6 says to a MariaDB user with ed25519.
  const said = new Error("Server requests authentication using unknown plugin client_ed25519. See TODO: …");
  expect(statementError(OPTIONS, said)).toMatchObject({
    code: "SOURCE_AUTH",
    message: "the source at db.example.com:3306 wants a login by client_ed25519, which is not known here",
    hint: expect.stringContaining("mysql_native_password"),
  });
});
