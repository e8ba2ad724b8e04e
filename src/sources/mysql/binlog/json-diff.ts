import { MillraceError } from "../../../core/errors.ts";
import { BinlogFields } from "./fields.ts";
import { type JsonNode, JsonMisfit, readJson, writeJson } from "./json-tree.ts";

/** `sql-common/json_diff.h`, `enum_json_diff_operation`. */
const Operation = { replace: 0, insert: 1, remove: 2 } as const;

/** One step of a path: the member of an object, or the place in an array; from its end where it is negative (−1: the last). */
type Leg = string | number;

/**
 * The binary document that differences make of another one: `diffs` are those of a PARTIAL_UPDATE_ROWS event
 * (`Json_diff_vector::write_binary`): operation 1, a path behind its length, and but for a removal a document behind its
 * length. Null: they do not fit it, or are not understood.
 */
export function patchedJson(
  b: Uint8Array,
  oldStart: number,
  oldEnd: number,
  diffStart: number,
  diffEnd: number,
): Buffer | null {
  try {
    const diffs = new BinlogFields(
      b,
      diffStart,
      diffEnd,
      () => new MillraceError("LOG_NOT_UNDERSTOOD", "a difference"),
    );
    let document = readJson(b, oldStart, oldEnd);
    while (diffs.left > 0) {
      const operation = diffs.uint8();
      const legs = pathLegs(diffs.text(diffs.packed()));
      const value = operation === Operation.remove ? null : readValue(diffs);
      document = patched(document, operation, legs, value);
    }
    return writeJson(document);
  } catch (error) {
    if (error instanceof JsonMisfit || error instanceof MillraceError) return null;
    throw error;
  }
}

function readValue(diffs: BinlogFields): JsonNode {
  const length = diffs.packed();
  const start = diffs.skip(length);
  return readJson(diffs.bytes, start, start + length);
}

const LEG = /\.("(?:[^"\\]|\\.)*"|[^.["]+)|\[(?:([0-9]{1,9})|last(?:-([0-9]{1,9}))?)\]/sy;

/** `$.name."quoted name"[3][last-1]`; others, as the server logs none. */
function pathLegs(path: string): readonly Leg[] {
  if (!path.startsWith("$")) throw new JsonMisfit();
  const legs: Leg[] = [];
  for (LEG.lastIndex = 1; LEG.lastIndex < path.length;) {
    const found = LEG.exec(path);
    if (found === null) throw new JsonMisfit();
    const [, name, index, beforeLast = "0"] = found;
    if (name !== undefined) legs.push(name.startsWith('"') ? unquoted(name) : name);
    else legs.push(index === undefined ? -1 - Number(beforeLast) : Number(index));
  }
  return legs;
}

function unquoted(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new JsonMisfit();
  }
}

function patched(document: JsonNode, operation: number, legs: readonly Leg[], value: JsonNode | null): JsonNode {
  const last = legs.at(-1);
  if (last === undefined) {
    if (operation !== Operation.replace) throw new JsonMisfit();
    return value!;
  }
  const parent = legs.slice(0, -1).reduce(child, document);
  if (parent.kind === "object" && typeof last === "string") changeMember(parent.members, operation, last, value);
  else if (parent.kind === "array" && typeof last === "number") changeItem(parent.items, operation, last, value);
  else throw new JsonMisfit();
  return document;
}

function child(node: JsonNode, leg: Leg): JsonNode {
  const found =
    node.kind === "object"
      ? node.members.find(({ key }) => key.toString("utf8") === leg)?.value
      : node.kind === "array" && typeof leg === "number"
        ? node.items.at(leg)
        : undefined;
  if (found === undefined) throw new JsonMisfit();
  return found;
}

type Members = Extract<JsonNode, { kind: "object" }>["members"];

/** Keys are in the order of their lengths, and of their bytes where these are the same. */
function changeMember(members: Members, operation: number, name: string, value: JsonNode | null): void {
  const key = Buffer.from(name);
  const order = (other: Buffer): number => other.length - key.length || other.compare(key);
  const behind = members.findIndex((member) => order(member.key) >= 0);
  const at = behind < 0 ? members.length : behind;
  const there = at < members.length && order(members[at]!.key) === 0;
  if (there === (operation === Operation.insert)) throw new JsonMisfit();
  if (operation === Operation.insert) members.splice(at, 0, { key, value: value! });
  else if (operation === Operation.replace) members[at]!.value = value!;
  else if (operation === Operation.remove) members.splice(at, 1);
  else throw new JsonMisfit();
}

function changeItem(items: JsonNode[], operation: number, leg: number, value: JsonNode | null): void {
  const at = leg < 0 ? items.length + leg : leg;
  // What goes beside the array is put at that end of it.
  if (operation === Operation.insert) items.splice(Math.max(at, 0), 0, value!);
  else if (at < 0 || at >= items.length) throw new JsonMisfit();
  else if (operation === Operation.replace) items[at] = value!;
  else if (operation === Operation.remove) items.splice(at, 1);
  else throw new JsonMisfit();
}
