import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { loadConfig } from '@cordon/service';
import { expect, test } from 'vitest';
import { believedKeys, settings, slackOf } from './config.ts';
import { publicKey, SIGNING_KEY } from './page-lab.ts';

const valid = {
  PUBLIC_URL: 'https://cordon.example.com/',
  OIDC_ISSUER: 'https://login.example.com/realm',
  OIDC_CLIENT_ID: 'cordon',
  OIDC_CLIENT_SECRET: 'secret',
  OIDC_APPROVER_GROUP: 'approvers',
  OIDC_VIEWER_GROUP: 'viewers',
  SESSION_SECRET: 'x'.repeat(32),
  DECISION_SIGNING_KEY: SIGNING_KEY,
};

test('reads what is needed, and the public address as an origin', () => {
  expect(loadConfig(settings, valid)).toMatchObject({
    PUBLIC_URL: 'https://cordon.example.com',
    PORT: 8081,
    APPROVAL_EXPIRY_MINUTES: 30,
    SIGN_INS_PER_MINUTE: 20,
  });
  expect(loadConfig(settings, { ...valid, PUBLIC_URL: 'http://127.0.0.1:8081' }).PUBLIC_URL).toBe(
    'http://127.0.0.1:8081',
  );
});

test.each([
  ['PUBLIC_URL', 'http://cordon.example.com', 'must be https'],
  ['PUBLIC_URL', 'https://example.com/cordon', 'must have no path'],
  ['PUBLIC_URL', 'cordon', 'Invalid URL'],
  ['OIDC_ISSUER', 'http://login.example.com', 'must be https'],
  ['OIDC_ISSUER', 'nonsense', 'Invalid URL'],
  ['SESSION_SECRET', 'short', 'at least 32 characters'],
  ['APPROVAL_EXPIRY_MINUTES', '0', 'APPROVAL_EXPIRY_MINUTES'],
  ['DECISION_SIGNING_KEY', 'no key', 'openssl genpkey'],
])('refuses %s=%s and says why, without showing a value', (name, value, why) => {
  const load = (): unknown => loadConfig(settings, { ...valid, [name]: value });
  expect(load).toThrow(`${name}: `);
  expect(load).toThrow(why);
  expect(load).not.toThrow('secret');
});

const load = (env: Record<string, string>) => slackOf(loadConfig(settings, { ...valid, ...env }));

test('people decide in Slack where a secret or a token says how Slack reaches us', () => {
  const bot = { SLACK_BOT_TOKEN: 'xoxb-1' };
  expect(load({})).toBeUndefined();
  expect(load(bot)).toBeUndefined();
  expect(load({ ...bot, SLACK_SIGNING_SECRET: 'signing' })).toEqual({
    token: 'xoxb-1',
    apiUrl: 'https://slack.com/api/',
    signingSecret: 'signing',
    appToken: undefined,
  });
  expect(load({ ...bot, SLACK_APP_TOKEN: 'xapp-1' })).toMatchObject({ appToken: 'xapp-1', signingSecret: undefined });
  expect(() => load({ SLACK_SIGNING_SECRET: 'signing' })).toThrow('SLACK_BOT_TOKEN: is required');
  expect(() => load({ ...bot, SLACK_APP_TOKEN: 'xoxb-1' })).toThrow('SLACK_APP_TOKEN: must be an app-level token');
  expect(() => load({ SLACK_API_URL: 'http://slack.example/api/' })).toThrow('SLACK_API_URL: must be https');
});

const spki = (key: KeyObject): string => key.export({ type: 'spki', format: 'der' }).toString('base64');

test('questions and votes of its own key count, and those of the keys it is given beside', () => {
  const keysOf = (env: Record<string, string>) => believedKeys(loadConfig(settings, { ...valid, ...env })).map(spki);
  const old = generateKeyPairSync('ed25519').publicKey;
  expect(keysOf({})).toEqual([spki(publicKey)]);
  expect(keysOf({ DECISION_PUBLIC_KEYS: spki(old) })).toEqual([spki(publicKey), spki(old)]);
});
