/**
 * How the tools that alter tables online name what stands beside table `t` (their documentation): gh-ost makes its copy
 * `_t_gho`, a table of notes `_t_ghc`, and leaves the old one as `_t_del` or `_t_20240131093000_del`;
 * pt-online-schema-change makes `_t_new` and leaves `_t_old`, with more underscores where that name is taken.
 */
const COPY = /^(_{1,10})(.+)_(gho|new)$/;
const BESIDE = /^(_{1,10})(.+?)(?:_[0-9]{8,14})?_(gho|ghc|del|new|old)$/;

/** The tables that a table of that name may be a copy in the making of. */
export function originalsOfCopy(name: string): readonly string[] {
  return originals(COPY.exec(name));
}

/** The tables beside which a table of that name may stand, as copy, notes or remains. */
export function originalsBeside(name: string): readonly string[] {
  return originals(BESIDE.exec(name));
}

/** A table's own name may begin with underscores. */
function originals(match: RegExpExecArray | null): readonly string[] {
  if (match === null) return [];
  const [, underscores = "", rest = ""] = match;
  return Array.from(underscores, (_, i) => "_".repeat(i) + rest);
}
