import { ConfigurationError, loadConfig } from '@cordon/service';
import { describe, expect, test } from 'vitest';
import { backfillOf, settings } from './config.ts';

const load = (env: Record<string, string>) => loadConfig(settings, env);
const backfill = (env: Record<string, string>) => backfillOf(load({ LIMACHARLIE_WEBHOOK_SECRETS: 'one', ...env }));

test('a secret is all that has to be given', () => {
  expect(load({ LIMACHARLIE_WEBHOOK_SECRETS: 'one' })).toEqual({
    PORT: 8080,
    LIMACHARLIE_WEBHOOK_SECRETS: ['one'],
    BODY_LIMIT_BYTES: 1_048_576,
    LIMACHARLIE_API_URL: 'https://api.limacharlie.io',
    LIMACHARLIE_JWT_URL: 'https://jwt.limacharlie.io',
    BACKFILL_RULE_TAGS: [],
    BACKFILL_MINUTES: 10,
  });
});

test('two secrets are separated by a comma', () => {
  expect(load({ LIMACHARLIE_WEBHOOK_SECRETS: 'new, old' }).LIMACHARLIE_WEBHOOK_SECRETS).toEqual(['new', 'old']);
});

test.each([{}, { LIMACHARLIE_WEBHOOK_SECRETS: '' }, { LIMACHARLIE_WEBHOOK_SECRETS: ' , ' }])('%j has none', (env) => {
  expect(() => load({ ...env })).toThrow(ConfigurationError);
});

test('a secret is not shown in a fault', () => {
  expect(() => load({ LIMACHARLIE_WEBHOOK_SECRETS: 'hidden', BODY_LIMIT_BYTES: '12' })).toThrow(
    /^(?!.*hidden).*BODY_LIMIT_BYTES/s,
  );
});

describe('gap filling', () => {
  test('is on with a key and its organisation', () => {
    const env = { LIMACHARLIE_OID: 'oid', LIMACHARLIE_API_KEY: 'key' };
    expect(backfill({ ...env, BACKFILL_RULE_TAGS: 'cordon, second', BACKFILL_MINUTES: '1.5' })).toEqual({
      oid: 'oid',
      apiKey: 'key',
      apiUrl: 'https://api.limacharlie.io',
      jwtUrl: 'https://jwt.limacharlie.io',
      ruleTags: ['cordon', 'second'],
      intervalMs: 90_000,
    });
  });

  test.each([{}, { LIMACHARLIE_OID: 'oid' }])('is off with %j', (env) => {
    expect(backfill({ ...env })).toBeUndefined();
  });

  test('needs an organisation where there is a key', () => {
    expect(() => backfill({ LIMACHARLIE_API_KEY: 'key' })).toThrow(/^ {2}LIMACHARLIE_OID: is required/);
  });

  test('takes no organisation that would be another path or key', () => {
    expect(() => backfill({ LIMACHARLIE_OID: 'a/../b', LIMACHARLIE_API_KEY: 'key' })).toThrow(ConfigurationError);
  });
});
