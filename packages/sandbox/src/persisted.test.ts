import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { persisted } from './persisted.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'cordon-'))));
afterEach(() => rm(folder, { recursive: true }));

test('what was saved is there after a restart, and what was not is not', () => {
  const file = join(folder, 'deep', 'state.json');
  const before = persisted(file, { count: 0 });
  before.value.count = 1;
  before.save();
  before.value.count = 2;
  expect(persisted(file, { count: 0 }).value).toEqual({ count: 1 });
});

test('a value that was replaced is saved too, and leaves no other file', async () => {
  const file = join(folder, 'state.json');
  const state = persisted<string[]>(file, []);
  state.value = ['new'];
  state.save();
  expect(await readFile(file, 'utf8')).toBe('["new"]');
  expect(await readdir(folder)).toEqual(['state.json']);
});

test('a damaged file is reported, not replaced', async () => {
  const file = join(folder, 'state.json');
  await writeFile(file, '{');
  expect(() => persisted(file, {})).toThrow(SyntaxError);
});

test('without a file there is nothing to write', () => {
  const state = persisted(undefined, { count: 0 });
  state.save();
  expect(state.value).toEqual({ count: 0 });
});
