import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { commonSettings, ConfigurationError, list, loadConfig, port } from './config.ts';

const shape = {
  SECRET: z.string().min(8),
  PORT: port(1),
  NAMES: list().default([]),
  FLAG: z.stringbool().default(false),
};

function faultsOf(env: Record<string, string>): string {
  try {
    loadConfig(shape, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new Error('no fault');
}

function fileWith(content: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'cordon-config-')), 'secret');
  writeFileSync(path, content);
  return path;
}

test('reads values, defaults and lists', () => {
  expect(loadConfig(shape, { SECRET: 'long enough', NAMES: ' a, b ,,c', FLAG: 'true' })).toEqual({
    SECRET: 'long enough',
    PORT: 1,
    NAMES: ['a', 'b', 'c'],
    FLAG: true,
  });
});

test('a secret may come as a file, without its last line break', () => {
  expect(loadConfig(shape, { SECRET_FILE: fileWith('from a file\n') }).SECRET).toBe('from a file');
});

test('names every fault at once, and never a value', () => {
  const faults = faultsOf({ SECRET: 'short', PORT: 'many', FLAG: 'perhaps' });
  for (const name of ['SECRET', 'PORT', 'FLAG']) expect(faults).toContain(name);
  for (const value of ['short', 'many', 'perhaps']) expect(faults).not.toContain(value);
});

test('says what is missing, what is set twice and which file cannot be read', () => {
  expect(faultsOf({})).toContain('SECRET: is required (or SECRET_FILE)');
  expect(faultsOf({ SECRET: '' })).toContain('SECRET: is required');
  expect(faultsOf({ SECRET_FILE: fileWith('\n') })).toContain('SECRET: is required');
  expect(faultsOf({ SECRET: 'long enough', SECRET_FILE: fileWith('x') })).toContain('keep one');
  expect(faultsOf({ SECRET_FILE: '/nowhere/at/all' })).toMatch(/SECRET_FILE: cannot read .*ENOENT/);
});

test('a bad value never falls back to the default', () => {
  expect(() => loadConfig(commonSettings(9080), { ADMIN_PORT: '99999' })).toThrow('ADMIN_PORT');
  expect(() => loadConfig(commonSettings(9080), { NATS_URL: 'http://127.0.0.1' })).toThrow('NATS_URL');
  expect(() => loadConfig(commonSettings(9080), { LOG_LEVEL: 'loud' })).toThrow('LOG_LEVEL');
});
