import { MillraceError } from "../../src/core/errors.ts";
import type { Random } from "../support/random.ts";

/** A decoder, and what it is given. */
export interface FuzzTarget {
  readonly name: string;
  /** Its part of all inputs. */
  readonly weight: number;
  /**
   * Makes one input by the generator, and decodes it. Throws what the decoder throws, or where its answer cannot be right.
   */
  run(random: Random): Promise<void> | void;
  /** Whether the decoder may say this. */
  mayThrow(error: MillraceError): boolean;
}

/** Of a decoder of logs: what it does not understand, it says with the place. */
export function saysWhere(error: MillraceError): boolean {
  return error.code === "LOG_NOT_UNDERSTOOD" && error.message !== "";
}

export async function expectedOutcome(target: FuzzTarget, random: Random): Promise<void> {
  try {
    await target.run(random);
  } catch (error) {
    if (!(error instanceof MillraceError && target.mayThrow(error))) throw error;
  }
}

/** Of the target's input of that number: the same for the same seed. */
export function inputSeed(seed: number, number: number): number {
  return (Math.imul(seed, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b)) >>> 0;
}
