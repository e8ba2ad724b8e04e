import { MillraceError } from "../../core/errors.ts";
import type { ErrorCode } from "../../core/error-codes.ts";
import { systemCode } from "../../flow/durable-file.ts";

/** A failed call on a path of the folder, as an error an operator can act on. */
export function folderFailure(error: unknown, path: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const system = systemCode(error);
  const failure = (code: ErrorCode, message: string, hint?: string): MillraceError =>
    new MillraceError(code, message, { place: { file: path }, cause: error, ...(hint === undefined ? {} : { hint }) });
  switch (system) {
    case "ENOSPC":
    case "EDQUOT":
    // A limit on the size of files, as of a shell's `ulimit -f`.
    case "EFBIG":
      return failure("STORE_FULL", `no space is left to write ${path}`);
    case "EACCES":
    case "EPERM":
      return failure("STORE_DENIED", `this user may not read and write ${path}`);
    case "EROFS":
      return failure("STORE_DENIED", `${path} is on a read-only file system`);
    case "ENOENT":
      return failure("STORE_MISSING", `${path} cannot be used because a folder on its way is missing`);
    case "ENOTDIR":
    case "EEXIST":
    case "EISDIR":
      return failure(
        "STORE_FAILED",
        `${path} cannot be used because a file stands where a folder should be, or a folder where a file should be`,
        "Move away what stands there; nobody else should write to this folder.",
      );
    case "ENAMETOOLONG":
      return failure(
        "STORE_FAILED",
        `the name ${path} is longer than the file system allows`,
        "Shorten the names that it is made of.",
      );
    case "EXDEV":
      return failure(
        "STORE_FAILED",
        `${path} is on another file system than the folder that it belongs to, and a file cannot be moved there in one step`,
        "Let the whole folder be on one file system, with no mount and no link to another one in it.",
      );
    // Of a file server: the handle is no longer known, or nobody answers.
    case "ESTALE":
    case "ETIMEDOUT":
    case "EHOSTDOWN":
      return failure("STORE_UNREACHABLE", `the file server of ${path} does not answer (${system})`);
    default:
      return failure("STORE_FAILED", `${path} cannot be used (${system ?? String(error)})`);
  }
}
