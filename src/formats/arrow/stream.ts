import { Message, RecordBatch } from "apache-arrow/ipc/metadata/message";
import { Schema } from "apache-arrow/schema";
import { MillraceError } from "../../core/errors.ts";
import type { ColumnSet, FileSchema } from "../file-schema.ts";
import { ArrowBody } from "./body.ts";
import { addCells } from "./cells.ts";
import { arrowField } from "./field.ts";

/** Begins a message; one without metadata behind it ends the stream. */
const CONTINUATION = 0xffff_ffff;
const PREFIX_BYTES = 8;

interface StreamMessage {
  readonly metadata: Uint8Array;
  readonly body: ArrowBody | null;
}

/**
 * Sets as one stream of Arrow's IPC format (columnar format 1.x, "encapsulated message format"), a record batch a set. It
 * refers to their cells until they are copied.
 */
export class ArrowStream {
  readonly bytes: number;
  readonly #messages: readonly StreamMessage[];

  constructor(schema: FileSchema, sets: readonly ColumnSet[]) {
    const filled = sets.filter(({ length }) => length > 0);
    const metadata = Message.encode(Message.from(new Schema(schema.map(arrowField))));
    this.#messages = [{ metadata, body: null }, ...filled.map((set) => batchMessage(schema, set))];
    this.bytes = this.#messages.reduce((sum, message) => sum + messageBytes(message), PREFIX_BYTES);
  }

  /** Copies every cell, once, into `target`: it is as long as the stream, zero, and begins at a multiple of 8 bytes. */
  copyTo(target: Uint8Array): void {
    const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
    let at = 0;
    for (const message of this.#messages) {
      const { metadata, body } = message;
      const prefixed = prefixedBytes(metadata);
      view.setUint32(at, CONTINUATION, true);
      view.setInt32(at + 4, prefixed - PREFIX_BYTES, true);
      target.set(metadata, at + PREFIX_BYTES);
      body?.writeTo(target, at + prefixed);
      at += messageBytes(message);
    }
    view.setUint32(at, CONTINUATION, true);
  }
}

function batchMessage(schema: FileSchema, { length, columns }: ColumnSet): StreamMessage {
  const body = new ArrowBody();
  for (const [i, column] of schema.entries()) {
    const nulls = addCells(body, column, columns[i]!, length);
    if (column.required && nulls > 0)
      throw new MillraceError("INTERNAL", `${nulls} cells of column ${column.name} are null, which none may be`);
  }
  const header = new RecordBatch(length, body.nodes, body.regions);
  return { metadata: Message.encode(Message.from(header, body.bytes)), body };
}

function messageBytes({ metadata, body }: StreamMessage): number {
  return prefixedBytes(metadata) + (body?.bytes ?? 0);
}

function prefixedBytes(metadata: Uint8Array): number {
  return (PREFIX_BYTES + metadata.byteLength + 7) & ~7;
}
