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

it.each([
  [3, "HY000", "Error writing file '/tmp/MYfd=41' (OS errno 28 - No space left on device)"],
  [1026, "HY000", "Error writing file '/tmp/MYfd=41' (errno: 28 - No space left on device)"],
  [1030, "HY000", 'Got error 28 "No space left on device" from storage engine InnoDB'],
  [3, "HY000", "Error writing file '/tmp/MY1' (Errcode: 28 \"No space left on device\")"],
  [1114, "HY000", "The table '/tmp/#sql12_a_0' is full"],
])("says where the server's disk is full (error %i)", (errno, sqlState, message) => {
  const said = Object.assign(new Error(message), { errno, sqlState });
  expect(statementError(OPTIONS, said)).toMatchObject({ code: "SOURCE_DISK_FULL", retry: "timed" });
});

it("does not take another fault of a file for a full disk", () => {
  const said = Object.assign(new Error("Error writing file '/tmp/28' (errno: 5 - Input/output error)"), {
    errno: 1026,
    sqlState: "HY000",
  });
  expect(statementError(OPTIONS, said)).toMatchObject({ code: "SOURCE_STATEMENT_FAILED" });
});
