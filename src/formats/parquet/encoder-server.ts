import type { MessagePort } from "node:worker_threads";
import { MillraceError } from "../../core/errors.ts";
import { sentError } from "../../core/sent-error.ts";
import type { FromEncoder, ToEncoder } from "./encoder-message.ts";
import type { EncodedRowGroup, EncoderWork } from "./encoding.ts";
import { BrokenEncoder, encodeRowGroup, encoderBytes } from "./row-group.ts";

/** The encoder's memory never shrinks: once it is larger than this, another thread goes on with a small one. */
const ENCODER_BYTES_MAX = 256 << 20;

/** Encodes what `port` asks for, one row group after the other, until the thread is ended. */
export function serveEncoder(port: MessagePort): void {
  let isBroken = false;

  function encode(work: EncoderWork): EncodedRowGroup {
    if (isBroken)
      throw new MillraceError("PARQUET_WORKER_LOST", "the encoder broke over the row group before this one");
    try {
      return encodeRowGroup(work);
    } catch (error) {
      isBroken = error instanceof BrokenEncoder;
      throw error;
    }
  }

  port.on("message", ({ ask, work }: ToEncoder) => {
    const { buffer } = work;
    const isWorn = (): boolean => isBroken || encoderBytes() > ENCODER_BYTES_MAX;
    let answer: FromEncoder;
    const moved: ArrayBuffer[] = [buffer];
    try {
      const rowGroup = encode(work);
      answer = { kind: "encoded", rowGroup, ask, isWorn: isWorn(), buffer };
      moved.push(rowGroup.bytes.buffer);
    } catch (error) {
      answer = { kind: "failed", error: sentError(error), ask, isWorn: isWorn(), buffer };
    }
    port.postMessage(answer, moved);
  });
}
