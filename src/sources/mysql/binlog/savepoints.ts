import type { RowsMark } from "../../../decoding/log-output.ts";

/**
 * The savepoints of a transaction, as a replica has them that runs the log: one that is set again is the later one, and
 * a trigger's are not apart from the transaction's own.
 */
export class Savepoints {
  readonly #set: { readonly name: string; readonly mark: RowsMark }[] = [];

  set(name: string, mark: RowsMark): void {
    this.#set.push({ name, mark });
  }

  /** Gone back to; those set later are no more. Null: there is none of that name, or which one it is cannot be told. */
  backTo(name: string): RowsMark | null {
    for (let last = this.#set.at(-1); last !== undefined; last = this.#set.at(-1)) {
      const same = sameSavepoint(last.name, name);
      if (same === null) return null;
      if (same) return last.mark;
      this.#set.pop();
    }
    return null;
  }
}

/**
 * The servers compare these names by `utf8mb3_general_ci`: without regard to case, and to more than that outside of ASCII
 * (null: that is not known here).
 */
function sameSavepoint(a: string, b: string): boolean | null {
  if (a === b) return true;
  if (!isAscii(a) || !isAscii(b)) return null;
  return a.trimEnd().toLowerCase() === b.trimEnd().toLowerCase();
}

function isAscii(text: string): boolean {
  return /^[\u0001-\u007f]*$/.test(text);
}
