import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Keeps a value across restarts of a stand-in: what `file` holds from last time, else `initial`. Without a file it lives in memory.
 *
 * `save` writes the value as JSON; a process killed half way leaves the previous content. Whoever cares checks the shape of
 * what was read. Throws when the file cannot be read or written, or is not JSON.
 */
export function persisted<T>(file: string | undefined, initial: T): { value: T; save(): void } {
  if (file === undefined) return { value: initial, save: () => {} };
  return {
    value: read(file, initial),
    save() {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(`${file}.next`, JSON.stringify(this.value));
      renameSync(`${file}.next`, file);
    },
  };
}

function read<T>(file: string, initial: T): T {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return initial;
    throw error;
  }
}
