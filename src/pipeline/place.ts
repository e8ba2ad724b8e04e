/** A place in the pipeline file; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong with the file. */
export interface Problem {
  readonly place: Place;
  readonly message: string;
}

/** In the order they stand in the file, each once. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const inOrder = problems.toSorted(
    (a, b) => a.place.line - b.place.line || a.place.column - b.place.column || (a.message < b.message ? -1 : 1),
  );
  const seen = new Set<string>();
  return inOrder.filter(({ place, message }) => {
    const line = `${place.line}:${place.column}: ${message}`;
    return !seen.has(line) && seen.add(line);
  });
}
