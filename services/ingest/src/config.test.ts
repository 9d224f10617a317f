import { ConfigurationError, loadConfig } from '@cordon/service';
import { expect, test } from 'vitest';
import { settings } from './config.ts';

const load = (env: Record<string, string>) => loadConfig(settings, env);

test('a secret is all that has to be given', () => {
  expect(load({ LIMACHARLIE_WEBHOOK_SECRETS: 'one' })).toEqual({
    PORT: 8080,
    LIMACHARLIE_WEBHOOK_SECRETS: ['one'],
    BODY_LIMIT_BYTES: 1_048_576,
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
