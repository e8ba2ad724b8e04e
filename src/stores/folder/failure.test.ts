import { expect, test } from "vitest";
import { folderFailure } from "./failure.ts";

test.each([
  ["ENOSPC", "STORE_FULL"],
  ["EDQUOT", "STORE_FULL"],
  ["EFBIG", "STORE_FULL"],
  ["EACCES", "STORE_DENIED"],
  ["EPERM", "STORE_DENIED"],
  ["EROFS", "STORE_DENIED"],
  ["ENOENT", "STORE_MISSING"],
  ["ENOTDIR", "STORE_FAILED"],
  ["EEXIST", "STORE_FAILED"],
  ["EISDIR", "STORE_FAILED"],
  ["ENAMETOOLONG", "STORE_FAILED"],
  ["EXDEV", "STORE_FAILED"],
  ["ESTALE", "STORE_UNREACHABLE"],
  ["EIO", "STORE_FAILED"],
])("%s is %s, and the message names the path", (system, code) => {
  const failure = folderFailure(Object.assign(new Error(system), { code: system }), "/lake/t/part.parquet");
  expect(failure).toMatchObject({ code, place: { file: "/lake/t/part.parquet" } });
  expect(failure.message).toContain("/lake/t/part.parquet");
});
