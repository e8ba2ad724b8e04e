import { bit, bitmapBytes, setBit, type Column } from "./column.ts";
import { fixedWidth, type LogicalType } from "./logical-type.ts";

/**
 * Which cell of which column each cell of a new column is taken from: row `rows[i]` of `sources[from[i]]`, of
 * `sources[0]` where `from` is null.
 */
export interface Pick {
  readonly from: Uint32Array | null;
  readonly rows: Uint32Array;
}

/** A new column of cells taken from others of the same type. Hot: called for every column of a chunk that was touched. */
export function gather(type: LogicalType, sources: readonly Column[], pick: Pick): Column {
  const length = pick.rows.length;
  const bitmaps = {
    length,
    validity: gatherBits(sources, pick, "validity"),
    absent: gatherBits(sources, pick, "absent"),
  };
  const width = fixedWidth(type);
  if (width < 0) return { type, ...bitmaps, ...gatherVariable(sources, pick) };
  if (width > 0) return { type, ...bitmaps, values: gatherFixed(sources, pick, width), offsets: null };
  const values = new Uint8Array(bitmapBytes(length));
  for (let i = 0; i < length; i++) if (bit(source(sources, pick, i).values, pick.rows[i]!)) setBit(values, i);
  return { type, ...bitmaps, values, offsets: null };
}

function source(sources: readonly Column[], pick: Pick, i: number): Column {
  return sources[pick.from === null ? 0 : pick.from[i]!]!;
}

/** Null where it would say nothing: all valid, or nothing absent. A source without the bitmap says just that. */
function gatherBits(sources: readonly Column[], pick: Pick, which: "validity" | "absent"): Uint8Array | null {
  if (sources.every((column) => column[which] === null)) return null;
  const ordinary = which === "validity";
  const bits = new Uint8Array(bitmapBytes(pick.rows.length));
  let says = false;
  for (let i = 0; i < pick.rows.length; i++) {
    const from = source(sources, pick, i)[which];
    const value = from === null ? ordinary : bit(from, pick.rows[i]!);
    if (value) setBit(bits, i);
    says ||= value !== ordinary;
  }
  return says ? bits : null;
}

/** How many cells from `i` on are neighbours in one source: they are copied at one go. */
function stretch({ from, rows }: Pick, i: number): number {
  let end = i + 1;
  while (end < rows.length && rows[end] === rows[end - 1]! + 1) end++;
  if (from === null) return end - i;
  const of = from[i];
  for (let at = i + 1; at < end; at++) if (from[at] !== of) return at - i;
  return end - i;
}

/** Below this a loop is faster than `set`. */
const STRETCH_MIN = 16;

function gatherFixed(sources: readonly Column[], pick: Pick, width: number): Uint8Array {
  const { from, rows } = pick;
  const values = new Uint8Array((rows.length * width + 7) & ~7);
  // Column buffers start at a multiple of 8 bytes, so they can be read in units of 2 or 4.
  const units = width === 2 ? 1 : width >> 2;
  const view = (bytes: Uint8Array): Uint16Array | Uint32Array =>
    width === 2
      ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1)
      : new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const target = view(values);
  const views = sources.map((column) => view(column.values));
  for (let i = 0; i < rows.length;) {
    const taken = views[from === null ? 0 : from[i]!]!;
    const count = stretch(pick, i);
    const start = rows[i]! * units;
    const at = i * units;
    const length = count * units;
    if (length >= STRETCH_MIN) target.set(taken.subarray(start, start + length), at);
    else for (let unit = 0; unit < length; unit++) target[at + unit] = taken[start + unit]!;
    i += count;
  }
  return values;
}

interface VariableBuffers {
  readonly values: Uint8Array;
  readonly offsets: Int32Array;
}

function gatherVariable(sources: readonly Column[], pick: Pick): VariableBuffers {
  const { rows } = pick;
  const offsets = gatherOffsets(sources, pick);
  const values = new Uint8Array((offsets[rows.length]! + 7) & ~7);
  for (let i = 0; i < rows.length;) {
    const column = source(sources, pick, i);
    const count = stretch(pick, i);
    const start = column.offsets![rows[i]!]!;
    const end = column.offsets![rows[i]! + count]!;
    const at = offsets[i]!;
    if (end - start >= STRETCH_MIN) values.set(column.values.subarray(start, end), at);
    else for (let b = start; b < end; b++) values[at + b - start] = column.values[b]!;
    i += count;
  }
  return { values, offsets };
}

function gatherOffsets(sources: readonly Column[], pick: Pick): Int32Array {
  const { rows } = pick;
  const offsets = new Int32Array(rows.length + 1);
  for (let i = 0; i < rows.length;) {
    const starts = source(sources, pick, i).offsets!;
    const first = rows[i]!;
    const count = stretch(pick, i);
    const shift = offsets[i]! - starts[first]!;
    for (let n = 1; n <= count; n++) offsets[i + n] = starts[first + n]! + shift;
    i += count;
  }
  return offsets;
}
