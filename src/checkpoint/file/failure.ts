import { MillraceError } from "../../core/errors.ts";
import { systemCode } from "../../flow/durable-file.ts";

/** A failed call on a path of the store, as an error an operator can act on. */
export function fileFailure(error: unknown, path: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const system = systemCode(error);
  switch (system) {
    case "ENOSPC":
    case "EDQUOT":
    // A limit on the size of files, as of a shell's `ulimit -f`.
    case "EFBIG":
      return new MillraceError("CHECKPOINT_DISK_FULL", `no space is left to write the checkpoint file ${path}`, {
        place: { file: path },
        cause: error,
      });
    case "EACCES":
    case "EPERM":
      return unwritable(`this user may not read and write ${path}`, path, error);
    case "EROFS":
      return unwritable(`${path} is on a read-only file system`, path, error);
    case "ENOTDIR":
    case "EEXIST":
      return unwritable(`${path} cannot be a folder, because a file stands in its way`, path, error);
    default:
      return unwritable(`the checkpoint file ${path} cannot be used (${system ?? String(error)})`, path, error);
  }
}

function unwritable(message: string, path: string, cause: unknown): MillraceError {
  return new MillraceError("CHECKPOINT_UNWRITABLE", message, { place: { file: path }, cause });
}
