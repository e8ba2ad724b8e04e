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
  "ends inside a transaction",
  "acknowledges nothing when it starts",
] as const;
export type Mutation = (typeof MUTATIONS)[number] | "none";
