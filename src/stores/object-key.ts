import { MillraceError } from "../core/errors.ts";

/** Ends the names of staged files in a folder; a part of a key that ends so could stand in the way of one. */
export const STAGED_SUFFIX = ".staged";

/** S3 cannot list them: they have no place in its XML. */
const CONTROL = /[\u0000-\u001f\u007f]/;
const HALF_A_PAIR = /\p{Surrogate}/u;

/**
 * A key is relative, in parts between slashes, none of them empty, `.` or `..`, in well-formed Unicode without control characters.
 * No part ends in `.staged`: that is the folder store's own. Whoever breaks that has a defect.
 */
export function checkKey(key: string): void {
  const why = faultOf(key);
  if (why !== null) throw new MillraceError("INTERNAL", `the key ${JSON.stringify(key)} of an object ${why}`);
}

/** Whether a name that was listed is a key: others may put there what they like, a "folder" that ends in a slash too. */
export function isKey(name: string): boolean {
  return faultOf(name) === null;
}

function faultOf(key: string): string | null {
  if (HALF_A_PAIR.test(key)) return "is no well-formed Unicode";
  if (CONTROL.test(key)) return "has a control character";
  for (const part of key.split("/")) {
    if (part === "") return "has an empty part";
    if (part === "." || part === "..") return `has the part ${part}`;
    if (part.endsWith(STAGED_SUFFIX)) return `has a part that ends in ${STAGED_SUFFIX}`;
  }
  return null;
}

/** The order of a listing: that of the keys' UTF-8 bytes, as S3 has it. JavaScript's own differs beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Halves of what lies beyond U+FFFF come behind all that does not. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
