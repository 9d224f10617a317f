import { parseEnv } from 'node:util';
import { loadConfig } from '@cordon/service';
import { describe, expect, test } from 'vitest';
import { channelsOf, settings as notifierSettings } from '../../services/notifier/src/config.ts';
import { EXAMPLE, faultsOfEnvironment, readText, SECRETS, SERVICES } from './services.ts';

const text = readText('.env.example');
const OPTION = /^# ([A-Z][A-Z0-9_]+=.*)$/gm;
const set = strings(parseEnv(text));
const options = strings(parseEnv([...text.matchAll(OPTION)].map(([, line]) => line).join('\n')));
/** Differ by service, so that the file only tells of them. */
const PORTS = ['PORT', 'ADMIN_PORT'];

describe('.env.example', () => {
  test('names every setting of every service', () => {
    const settings = new Set(SERVICES.flatMap((service) => Object.keys(service.settings)));
    const missing = [...settings].filter((name) => !(name in set) && !(name in options) && !PORTS.includes(name));
    expect(missing).toEqual([]);
    for (const { adminPort } of SERVICES) expect(text).toContain(String(adminPort));
  });

  test('names nothing else, but what only compose.yaml reads', () => {
    const settings = new Set(SERVICES.flatMap((service) => Object.keys(service.settings)));
    const compose = readText('deploy/compose.yaml');
    const unread = Object.keys({ ...set, ...options }).filter(
      (name) => !settings.has(name) && !compose.includes(`\${${name}:`),
    );
    expect(unread).toEqual([]);
  });

  test('gives no secret a value', () => {
    expect(Object.keys(SECRETS).filter((name) => set[name] || options[name])).toEqual([]);
  });

  test.each(SERVICES)('with secrets added, is all that $name needs', (service) => {
    const env = Object.entries({ ...EXAMPLE, ...SECRETS }).filter(([name]) => name in service.settings);
    expect(faultsOfEnvironment(service, Object.fromEntries(env))).toEqual([]);
  });

  test.each(SERVICES)('its options are what $name accepts, and its defaults where it has any', (service) => {
    for (const [name, schema] of Object.entries(service.settings)) {
      const value = options[name];
      if (!value) continue;
      const given = loadConfig({ [name]: schema }, { [name]: value })[name];
      const fallback = defaultOf(() => loadConfig({ [name]: schema }, {})[name]);
      expect({ [name]: given }).toEqual({ [name]: fallback ?? given });
    }
  });

  test('turns both channels on', () => {
    const channels = channelsOf(loadConfig(notifierSettings, { ...EXAMPLE, ...SECRETS }));
    expect(Object.keys(channels)).toEqual(['slack', 'mail']);
  });
});

function strings(env: NodeJS.Dict<string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value ?? '']));
}

function defaultOf(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined; // required
  }
}
