/**
 * Finds every value a path leads to; none when it leads nowhere, which makes any operator on it false.
 *
 * Names are joined by `/`, empty ones are skipped, `?` is exactly one level, `*` any number of levels, and a list is
 * entered as if it were not there (LimaCharlie docs: "Detection Logic Operators", paths).
 */
export function valuesAt(record: unknown, path: string): unknown[] {
  return follow(
    record,
    path.split('/').filter((name) => name !== ''),
  );
}

function follow(value: unknown, names: string[]): unknown[] {
  const [name, ...rest] = names;
  if (name === undefined) return [value];
  if (Array.isArray(value)) {
    const inside = value.flatMap((element) => follow(element, names));
    // The vendor's examples write both `LIST/SOURCE` and `LIST/?/SOURCE`, so `?` may also stand for the place in the list.
    return name === '?' ? [...inside, ...value.flatMap((element) => follow(element, rest))] : inside;
  }
  if (name === '*') return [...follow(value, rest), ...children(value).flatMap((child) => follow(child, names))];
  if (name === '?') return children(value).flatMap((child) => follow(child, rest));
  const child = entries(value).find(([key]) => key === name);
  return child ? follow(child[1], rest) : [];
}

function children(value: unknown): unknown[] {
  return entries(value).map(([, child]) => child);
}

function entries(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
