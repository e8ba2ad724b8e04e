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

export interface ArrowStream {
  readonly rows: number;
  /** Has its buffer for itself, so that it can be moved to another thread. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

interface StreamMessage {
  readonly metadata: Uint8Array;
  readonly body: ArrowBody | null;
}

/**
 * The sets as one stream of Arrow's IPC format (columnar format 1.x, "encapsulated message format"), a record batch a set.
 * Every cell is copied once, into the stream: the sets are of no more use to it then.
 */
export function arrowStream(schema: FileSchema, sets: readonly ColumnSet[]): ArrowStream {
  const messages: StreamMessage[] = [
    { metadata: Message.encode(Message.from(new Schema(schema.map(arrowField)))), body: null },
  ];
  let rows = 0;
  for (const set of sets) {
    if (set.length === 0) continue;
    messages.push(batchMessage(schema, set));
    rows += set.length;
  }
  return { rows, bytes: joined(messages) };
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

function joined(messages: readonly StreamMessage[]): Uint8Array<ArrayBuffer> {
  let end = PREFIX_BYTES;
  for (const { metadata, body } of messages) end += prefixedBytes(metadata) + (body?.bytes ?? 0);
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { metadata, body } of messages) {
    const prefixed = prefixedBytes(metadata);
    view.setUint32(at, CONTINUATION, true);
    view.setInt32(at + 4, prefixed - PREFIX_BYTES, true);
    bytes.set(metadata, at + PREFIX_BYTES);
    body?.writeTo(bytes, at + prefixed);
    at += prefixed + (body?.bytes ?? 0);
  }
  view.setUint32(at, CONTINUATION, true);
  return bytes;
}

function prefixedBytes(metadata: Uint8Array): number {
  return (PREFIX_BYTES + metadata.byteLength + 7) & ~7;
}
