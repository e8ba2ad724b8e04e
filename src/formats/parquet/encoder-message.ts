import type { SentError } from "../../core/sent-error.ts";
import type { EncodedRowGroup, EncoderWork } from "./encoding.ts";

/** What the pool asks of a worker, which answers in the order in which it was asked. */
export interface ToEncoder {
  readonly ask: number;
  /** Its buffer is moved, not copied. */
  readonly work: EncoderWork;
}

/** The answer to one ask. `isWorn`: the worker is to be asked nothing more. `buffer`: the work's, to be used again. */
export type FromEncoder = { readonly ask: number; readonly isWorn: boolean; readonly buffer: ArrayBuffer } & (
  | { readonly kind: "encoded"; readonly rowGroup: EncodedRowGroup }
  | { readonly kind: "failed"; readonly error: SentError }
);
