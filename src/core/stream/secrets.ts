/**
 * Takes the members that hold secrets out of a record, at any depth and in any spelling of their names. In place, and
 * before anything else reads the record, so that no row, reject, sample or message can have them.
 */
export function dropSecrets(secrets: ReadonlySet<string>, record: unknown): void {
  if (secrets.size === 0) return;
  // A list instead of recursion: an answer may be nested deeper than the stack.
  const open: unknown[] = [record];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, inner] of Object.entries(value)) {
      if (!Array.isArray(value) && secrets.has(plain(name))) Reflect.deleteProperty(value, name);
      else open.push(inner);
    }
  }
}

/** Names as `dropSecrets` compares them: one text for `weak_password`, `weakPassword` and `WeakPassword`. */
export function secretNames(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map(plain));
}

function plain(name: string): string {
  return name.replaceAll(/[_-]/g, '').toLowerCase();
}
