import type { SentError } from "../../core/sent-error.ts";
import type { EncodedRowGroup, EncodeOptions, RowGroupTraits } from "./encoding.ts";

/** What a worker is to encode. */
export interface EncoderWork {
  /** Of an `ArrowStream`; moved, not copied. */
  readonly stream: Uint8Array<ArrayBuffer>;
  readonly traits: RowGroupTraits;
  readonly options: EncodeOptions;
}

/** What the pool asks of a worker, which answers in the order in which it was asked. */
export interface ToEncoder {
  readonly ask: number;
  readonly work: EncoderWork;
}

/** The answer to one ask. `isWorn`: the worker is to be asked nothing more. `buffer`: the stream's, to be used again. */
export type FromEncoder = { readonly ask: number; readonly isWorn: boolean; readonly buffer: ArrayBuffer } & (
  | { readonly kind: "encoded"; readonly rowGroup: EncodedRowGroup }
  | { readonly kind: "failed"; readonly error: SentError }
);
