import { loadConfig } from '@cordon/service';
import { expect, test } from 'vitest';
import { channelsOf, settings } from './config.ts';

const SLACK = { SLACK_BOT_TOKEN: 'xoxb-1', SLACK_CHANNEL: 'C0123456789' };
const MAIL = {
  SMTP_URL: 'smtp://cordon:p%40ss@mail.example.com:2525',
  EMAIL_FROM: 'Cordon <cordon@example.com>',
  EMAIL_TO: 'soc@example.com, lead@example.com,soc@example.com',
};
const read = (env: Record<string, string>) =>
  channelsOf(loadConfig(settings, { PUBLIC_URL: 'https://cordon.example.com/', ...env }));

test('reads both channels', () => {
  expect(read({ ...SLACK, ...MAIL })).toEqual({
    slack: {
      token: 'xoxb-1',
      channel: 'C0123456789',
      apiUrl: 'https://slack.com/api/',
      postsPerSecond: 1,
      reconcileWaitMs: 10_000,
    },
    mail: {
      server: { host: 'mail.example.com', port: 2525, secure: false, auth: { user: 'cordon', pass: 'p@ss' } },
      requireTls: true,
      from: { name: 'Cordon', address: 'cordon@example.com' },
      to: ['soc@example.com', 'lead@example.com'],
    },
  });
});

test('a channel may be left out as a whole, but not by half', () => {
  expect(read({})).toEqual({});
  expect(() => read({ SLACK_CHANNEL: 'C0123456789' })).toThrow('SLACK_BOT_TOKEN: is required');
  expect(() => read({ SMTP_URL: 'smtp://127.0.0.1', EMAIL_TO: 'soc@example.com' })).toThrow('EMAIL_FROM: is required');
});

test('encryption is required but to this machine, and where it is waived', () => {
  expect(read({ ...MAIL, SMTP_URL: 'smtp://127.0.0.1:25' }).mail?.requireTls).toBe(false);
  expect(read({ ...MAIL, SMTP_URL: 'smtps://mail.example.com' }).mail?.server).toMatchObject({
    port: 465,
    secure: true,
  });
  expect(read({ ...MAIL, SMTP_REQUIRE_TLS: 'false' }).mail?.requireTls).toBe(false);
});

test('the public address keeps no slash at its end', () => {
  const config = loadConfig(settings, { PUBLIC_URL: 'http://127.0.0.1:8080/cordon//' });
  expect(config.PUBLIC_URL).toBe('http://127.0.0.1:8080/cordon');
});

test.each([
  ['PUBLIC_URL', 'http://cordon.example.com'],
  ['PUBLIC_URL', 'https://cordon.example.com/?a=b'],
  ['PUBLIC_URL', 'javascript:alert(1)'],
  ['SLACK_CHANNEL', '#alerts'],
  ['SLACK_API_URL', 'http://slack.example.com/api/'],
  ['SMTP_URL', 'https://mail.example.com'],
  ['EMAIL_FROM', 'a@example.com\r\nBcc: b@example.com'],
  ['EMAIL_FROM', 'a@example.com, b@example.com'],
  ['EMAIL_TO', 'Soc <soc@example.com>'],
  ['EMAIL_TO', 'soc@example.com\r\nBcc: evil@example.com'],
])('refuses %s=%s, and never shows the value', (name, value) => {
  const read = () => loadConfig(settings, { PUBLIC_URL: 'https://cordon.example.com', [name]: value });
  expect(read).toThrow(name);
  expect(read).not.toThrow(value);
});
