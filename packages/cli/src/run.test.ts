import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from './commands/index.ts';
import { cordon, startLab } from './lab.ts';
import { placeOf } from './place.ts';

test('every command explains itself with an example, in lines that fit a terminal', async () => {
  for (const { name } of COMMANDS) {
    const { code, out, err } = await cordon({}, [...name.split(' '), '--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`\n  cordon ${name}`);
    expect(Math.max(...out.split('\n').map((line) => line.length)), name).toBeLessThanOrEqual(130);
  }
});

test('wrong usage is one sentence and exit code 2', async () => {
  await using lab = await startLab();
  for (const argv of [
    ['nonsense'],
    [],
    ['dlq'],
    ['tail', '--nonsense'],
    ['tail', '--type', 'nothing.happened'],
    ['tail', '--from', 'yesterday'],
    ['tail', '--endpoint', 'a.>'],
    ['incident'],
    ['incident', 'xyz'],
    ['dlq', 'redrive'],
    ['dlq', 'redrive', '7', '--all'],
    ['dlq', 'discard', '--consumer', 'x', '7'],
    ['replay'],
    ['replay', '--rebuild', '--consumer', 'notifier-slack'],
    ['replay', '--consumer', 'nobody', '--from', '1'],
    ['replay', '--consumer', 'notifier-slack'],
    ['replay', '--consumer', 'notifier-slack', '--from', '1', '--for-real'],
    ['incidents', '--state', 'odd'],
    ['policy', 'check', 'a', 'b'],
    ['policy', 'explain'],
    ['policy', 'what-if'],
    ['audit', 'export', 'a'],
    ['audit', 'verify'],
    ['audit', 'verify', 'a', '--key', 'b'],
    ['audit', 'verify', 'a'],
    ['simulate'],
    ['simulate', '--url', 'nonsense'],
    ['incidents', '--env-file', '/nowhere/at/all'],
  ]) {
    const { code, err } = await lab.cordon(...argv);
    expect(code, argv.join(' ')).toBe(2);
    expect(err.trim().split('\n').length, argv.join(' ')).toBeLessThanOrEqual(1);
  }
});

test('without a broker every command says so, what to do, and never the password', async () => {
  const { code, err } = await cordon({ NATS_URL: 'nats://user:hunter2@127.0.0.1:1' }, ['incidents']);
  expect(code).toBe(3);
  expect(err).toBe('cordon: No broker answers at nats://127.0.0.1:1: start it, or set NATS_URL to where it listens.\n');
});

test('an env file gives what the environment does not, and secrets may come as files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cordon-cli-'));
  const file = join(folder, 'env');
  await writeFile(join(folder, 'url'), 'nats://127.0.0.1:2\n');
  await writeFile(file, `NATS_URL_FILE=${join(folder, 'url')}\n`);
  const fromFile = await cordon({}, ['incidents', '--env-file', file]);
  expect(fromFile.err).toContain('nats://127.0.0.1:2');
  const both = await cordon({ NATS_URL: 'nats://127.0.0.1:3' }, ['incidents', '--env-file', file]);
  expect(both.err).toContain('NATS_URL_FILE; keep one');
});

test('a place in the log is a sequence, a time, or how long ago', () => {
  const now = new Date('2026-01-31T12:00:00Z');
  expect([placeOf('1200', now), placeOf('0', now), placeOf(undefined, now)]).toEqual([1200, 1, undefined]);
  expect(placeOf('90m', now)).toEqual(new Date('2026-01-31T10:30:00Z'));
  expect(placeOf('2026-01-31T08:00Z', now)).toEqual(new Date('2026-01-31T08:00:00Z'));
  for (const text of ['soon', '-1', '1.5h', '2026-13-99', '1w']) expect(() => placeOf(text, now)).toThrow(/no place/);
});
