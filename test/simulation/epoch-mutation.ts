/** The rules that a simulation must miss when they are broken. */
export const MUTATIONS = [
  "acknowledged before the sink commits",
  "stored after the sink commits",
  "tokens are not compared",
  "the token is above the sink's alone",
  "epochs are not compared",
  "forward instead of back",
  "the store is the truth",
  "does not claim the store",
  "does not claim the sink",
  "ends inside a transaction",
  "acknowledges nothing when it starts",
] as const;

/** Those of a staged sink, and of a run over one. */
export const STAGED_MUTATIONS = [
  "does not claim the sink",
  "opening finishes nothing",
  "epochs are not compared",
  "tokens are not compared",
  "any record of the epoch is the same one",
  "decides what is gone",
  "leftovers go before their epoch is over",
  "commits again whatever the store has",
  "visible before it is decided",
  "acknowledged before it is visible",
] as const;
export type Mutation = (typeof MUTATIONS)[number] | (typeof STAGED_MUTATIONS)[number] | "none";
