import { describe, expect, test } from 'vitest';
import { isSignedBySlack } from './slack-signature.ts';

const secret = 'test-signing-secret';
const body =
  'payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U1%22%7D%2C%22actions%22%3A%5B%7B%22action_id%22%3A%22isolate_yes%22%2C%22value%22%3A%22apr_01%22%7D%5D%7D';
const timestamp = 1_760_000_000;
const signature = 'v0=b3a1acc8ff88d94f6cf2e9284721da0da54da2f5a9d46e4182ea1e681073eb37';

function isAccepted(about: {
  secret?: string;
  body?: string;
  timestamp?: string | string[];
  signature?: string | string[];
  now?: number;
}): boolean {
  const headers: Record<string, string | string[] | undefined> = {
    'x-slack-request-timestamp': String(timestamp),
    'x-slack-signature': signature,
    ...('timestamp' in about && { 'x-slack-request-timestamp': about.timestamp }),
    ...('signature' in about && { 'x-slack-signature': about.signature }),
  };
  const now = new Date((about.now ?? timestamp + 100) * 1000);
  return isSignedBySlack(about.secret ?? secret, headers, Buffer.from(about.body ?? body), now);
}

describe('accepts', () => {
  test('what Slack signed', () => expect(isAccepted({})).toBe(true));
  test('a clock that is five minutes off, either way', () => {
    expect(isAccepted({ now: timestamp + 300 })).toBe(true);
    expect(isAccepted({ now: timestamp - 300 })).toBe(true);
  });
  test("Slack's published example", () => {
    const example = {
      secret: '8f742231b10e8888abcd99yyyzzz85a5',
      timestamp: '1531420618',
      now: 1_531_420_618,
      body: 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
      signature: 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    };
    expect(isAccepted(example)).toBe(true);
  });
});

test.for<[what: string, about: Parameters<typeof isAccepted>[0]]>([
  ['one changed byte', { body: body.replace('U1', 'U2') }],
  ['the same form encoded otherwise', { body: body.replace('%2C', ',') }],
  ['another secret', { secret: 'test-signing-secret2' }],
  ['301 seconds old', { now: timestamp + 301 }],
  ['301 seconds ahead', { now: timestamp - 301 }],
  ['another timestamp than was signed', { timestamp: String(timestamp + 1) }],
  ['no timestamp', { timestamp: '' }],
  ['a timestamp that is no number', { timestamp: '1760000000 ' }],
  ['two timestamps', { timestamp: [String(timestamp), String(timestamp)] }],
  ['no signature', { signature: '' }],
  ['two signatures', { signature: [signature, signature] }],
  ['another version', { signature: signature.replace('v0', 'v1') }],
  ['upper-case digits', { signature: `v0=${signature.slice(3).toUpperCase()}` }],
  ['a short signature', { signature: signature.slice(0, -2) }],
  ['a long signature', { signature: `${signature}00` }],
  ['an empty body', { body: '' }],
])('refuses %s', ([, about]) => expect(isAccepted(about)).toBe(false));
