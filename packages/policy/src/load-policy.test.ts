import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PolicyError } from './faults.ts';
import { loadPolicy, watchPolicy, type WatchedPolicy } from './load-policy.ts';

let folder: string;
let file: string;
let watched: WatchedPolicy | undefined;
let told: string[];

const named = (name: string): string => `tiers: [{ name: ${name} }]\n`;
const tier = (): string | undefined => watched?.current().tiers[0]?.name;
function watch(path: string | undefined, pollMs = 10): void {
  watched = watchPolicy(
    path,
    (policy) => told.push(`now ${policy.tiers[0]?.name}`),
    (error) => told.push(error.message.replaceAll(folder, '')),
    pollMs,
  );
}
/** Changes the file at once: a look in the middle of it would find an empty one. */
async function put(text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}
/** With the clock stopped: has it look once, and waits until it is done. */
async function look(): Promise<void> {
  vi.advanceTimersToNextTimer();
  await expect.poll(() => vi.getTimerCount()).toBe(1);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cordon-policy-'));
  file = join(folder, 'policy.yaml');
  told = [];
});
afterEach(async () => {
  vi.useRealTimers();
  watched?.close();
  await rm(folder, { recursive: true });
});

test('the built-in policy is there without a file', () => {
  expect(loadPolicy(undefined).tiers.map(({ name }) => name)).toEqual(['critical', 'server', 'workstation']);
  watch(undefined);
  expect(tier()).toBe('critical');
});

test('a file that is not there or has faults is refused at the start', async () => {
  expect(() => loadPolicy(file)).toThrow(new PolicyError([`${file}: cannot be read (ENOENT)`]));
  await writeFile(file, 'tiers: []');
  expect(() =>
    watchPolicy(
      file,
      () => {},
      () => {},
    ),
  ).toThrow(`${file}:1:8: tiers: must name at least one`);
});

test('a change is taken over; a text with faults and a missing file are told once and change nothing', async () => {
  await writeFile(file, named('a'));
  watch(file);
  await put(named('b'));
  await expect.poll(tier).toBe('b');
  await put('tiers: [7]');
  await expect.poll(() => told).toHaveLength(2);
  await unlink(file);
  await expect.poll(() => told).toHaveLength(3);
  expect(tier()).toBe('b');
  await put(named('c'));
  await expect.poll(tier).toBe('c');
  await unlink(file); // gone once more is news once more
  await expect.poll(() => told).toHaveLength(5);
  expect(told).toEqual([
    'now b',
    '/policy.yaml:1:9: tiers[0]: must be a block of keys',
    '/policy.yaml: cannot be read (ENOENT)',
    'now c',
    '/policy.yaml: cannot be read (ENOENT)',
  ]);
});

test('half of a file, as it is being written, is no policy', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await writeFile(file, `${named('a')}protected: { tags: [x] }`);
  watch(file, 100_000);
  for (const text of ['', named('a'), `${named('b')}protected: { tags: [x] }`]) {
    await writeFile(file, text);
    await look();
  }
  expect(told).toEqual([]);
  await look();
  expect(told).toEqual(['now b']);
});

test('a config map that is swapped behind its symlinks is noticed', async () => {
  for (const version of ['1', '2']) {
    await mkdir(join(folder, `..${version}`));
    await writeFile(join(folder, `..${version}`, 'policy.yaml'), named(`v${version}`));
  }
  await symlink('..1', join(folder, '..data'));
  await symlink('..data/policy.yaml', file);
  watch(file);
  expect(tier()).toBe('v1');
  await symlink('..2', join(folder, '..next'));
  await rename(join(folder, '..next'), join(folder, '..data'));
  await expect.poll(tier).toBe('v2');
  expect(told).toEqual(['now v2']);
});
