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
  readonly rows: number;
  readonly bytes: number;
  readonly #messages: readonly StreamMessage[];

  constructor(schema: FileSchema, sets: readonly ColumnSet[]) {
    const filled = sets.filter(({ length }) => length > 0);
    const metadata = Message.encode(Message.from(new Schema(schema.map(arrowField))));
    this.#messages = [{ metadata, body: null }, ...filled.map((set) => batchMessage(schema, set))];
    this.rows = filled.reduce((sum, { length }) => sum + length, 0);
    this.bytes = this.#messages.reduce((sum, message) => sum + messageBytes(message), PREFIX_BYTES);
  }

  /**
   * The stream in a buffer of its own, which is at least as long, whatever was in it: it can be moved to another thread.
   * Every cell is copied once.
   */
  copy(buffer: ArrayBuffer = new ArrayBuffer(this.bytes)): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(buffer, 0, this.bytes).fill(0);
    const view = new DataView(buffer);
    let at = 0;
    for (const message of this.#messages) {
      const { metadata, body } = message;
      const prefixed = prefixedBytes(metadata);
      view.setUint32(at, CONTINUATION, true);
      view.setInt32(at + 4, prefixed - PREFIX_BYTES, true);
      bytes.set(metadata, at + PREFIX_BYTES);
      body?.writeTo(bytes, at + prefixed);
      at += messageBytes(message);
    }
    view.setUint32(at, CONTINUATION, true);
    return bytes;
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
