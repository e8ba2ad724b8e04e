import type { MessagePort } from "node:worker_threads";
import { MillraceError } from "../../core/errors.ts";
import { sentError } from "../../core/sent-error.ts";
import type { EncoderWork, FromEncoder, ToEncoder } from "./encoder-message.ts";
import type { EncodedRowGroup } from "./encoding.ts";
import { BrokenEncoder, encodeRowGroup, encoderBytes } from "./row-group.ts";

/** The encoder's memory never shrinks: once it is larger than this, another thread goes on with a small one. */
const ENCODER_BYTES_MAX = 256 << 20;

/** Encodes what `port` asks for, one row group after the other, until the thread is ended. */
export function serveEncoder(port: MessagePort): void {
  let isBroken = false;

  function encode({ stream, traits, options }: EncoderWork): EncodedRowGroup {
    if (isBroken)
      throw new MillraceError("PARQUET_WORKER_LOST", "the encoder broke over the row group before this one");
    try {
      return encodeRowGroup(stream, traits, options);
    } catch (error) {
      isBroken = error instanceof BrokenEncoder;
      throw error;
    }
  }

  port.on("message", ({ ask, work }: ToEncoder) => {
    const answer = (of: { kind: "encoded"; rowGroup: EncodedRowGroup } | { kind: "failed"; error: unknown }): void => {
      const isWorn = isBroken || encoderBytes() > ENCODER_BYTES_MAX;
      if (of.kind === "encoded")
        port.postMessage({ ...of, ask, isWorn } satisfies FromEncoder, [of.rowGroup.bytes.buffer]);
      else port.postMessage({ kind: "failed", error: sentError(of.error), ask, isWorn } satisfies FromEncoder);
    };
    try {
      answer({ kind: "encoded", rowGroup: encode(work) });
    } catch (error) {
      answer({ kind: "failed", error });
    }
  });
}
