import { generateKeyPairSync } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { fileURLToPath } from 'node:url';
import { startBroker, startIdentityProvider, startLimaCharlie, startMail, startSlack } from '@cordon/sandbox';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clockFinding } from './doctor/clock.ts';
import { cordon } from './lab.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const keys = {
  DECISION_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  DECISION_PUBLIC_KEYS: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
};
const secrets = {
  LIMACHARLIE_API_KEY: 'an-api-key-nobody-may-see',
  LIMACHARLIE_WEBHOOK_SECRETS: 'a-webhook-secret-nobody-may-see',
  SLACK_BOT_TOKEN: 'xoxb-a-token-nobody-may-see',
  SLACK_APP_TOKEN: 'xapp-a-token-nobody-may-see',
  OIDC_CLIENT_SECRET: 'a-client-secret-nobody-may-see',
};
const BUTTONS = fileURLToPath(new URL('../../sandbox/slack-policy.yaml', import.meta.url));
const oid = '8cbe27f4-1111-4111-8111-138cd51389cd';

async function startAll() {
  const broker = await startBroker();
  const limaCharlie = await startLimaCharlie({ oid, apiKey: secrets.LIMACHARLIE_API_KEY });
  const slack = await startSlack({
    token: secrets.SLACK_BOT_TOKEN,
    appToken: secrets.SLACK_APP_TOKEN,
    channel: 'C0CORDON001',
  });
  const mail = await startMail();
  const provider = await startIdentityProvider({
    clientId: 'cordon',
    clientSecret: secrets.OIDC_CLIENT_SECRET,
    redirectUris: ['http://127.0.0.1:8081/callback'],
  });
  const env: Record<string, string> = {
    ...secrets,
    ...keys,
    NATS_URL: broker.url.replace('//', '//operator:broker-password-nobody-may-see@'),
    LIMACHARLIE_OID: oid,
    LIMACHARLIE_API_URL: limaCharlie.apiUrl,
    LIMACHARLIE_JWT_URL: limaCharlie.jwtUrl,
    SLACK_CHANNEL: 'C0CORDON001',
    SLACK_API_URL: slack.apiUrl,
    SMTP_URL: mail.url.replace('//', '//somebody:smtp-password-nobody-may-see@'),
    EMAIL_FROM: 'cordon@cordon.example',
    EMAIL_TO: 'soc@cordon.example',
    PUBLIC_URL: 'http://127.0.0.1:8081',
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: 'cordon',
    POLICY_FILE: BUTTONS,
  };
  await cordon(env, ['topology', '--apply']);
  const parts = [broker, limaCharlie, slack, mail, provider];
  return {
    broker,
    limaCharlie,
    slack,
    mail,
    env,
    stop: () => Promise.all(parts.map((part) => part[Symbol.asyncDispose]())),
  };
}

let all: Awaited<ReturnType<typeof startAll>>;
beforeAll(async () => (all = await startAll()));
afterAll(async () => all.stop());

type Found = { check: string; status: string; says: string; fix?: string };

async function doctor(changes: Record<string, string | undefined> = {}) {
  const { code, out } = await cordon({ ...all.env, ...changes }, ['doctor', '--json']);
  expect(out).not.toContain('nobody-may-see');
  expect(out).not.toContain(keys.DECISION_SIGNING_KEY);
  const found: Found[] = JSON.parse(out);
  return { code, wrong: found.filter(({ status }) => status === 'wrong'), found };
}

test('where everything is right it says so, and exits with 0', async () => {
  const { code, found } = await doctor();
  expect(found.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(code).toBe(0);
  const checks = ['broker', 'topology', 'clock', 'LimaCharlie key', 'webhook secret', 'Slack', 'Slack channel'];
  expect(found.map(({ check }) => check)).toEqual([
    ...checks,
    'Slack decisions',
    'mail',
    'sign-in',
    'sign-in client',
    'clock',
    'policy',
    'decision keys',
  ]);
});

test('what is not configured is said, and is not wrong', async () => {
  const { code, out } = await cordon({ NATS_URL: all.env['NATS_URL'] }, ['doctor']);
  expect(code).toBe(0);
  for (const check of [
    'LimaCharlie key',
    'webhook secret',
    'Slack',
    'Slack decisions',
    'mail',
    'sign-in',
    'decision keys',
  ]) {
    expect(out).toMatch(new RegExp(`^- ${check} +not configured`, 'm'));
  }
});

async function slackDecisions(changes: Record<string, string | undefined>) {
  return (await doctor(changes)).found.find(({ check }) => check === 'Slack decisions');
}

test('deciding in Slack is checked with a signing secret too, and is off where no tier lets people', async () => {
  expect(await slackDecisions({})).toMatchObject({ status: 'ok', says: 'over a socket' });
  const overHttp = { SLACK_APP_TOKEN: undefined, SLACK_SIGNING_SECRET: 'a-signing-secret-nobody-may-see' };
  expect(await slackDecisions(overHttp)).toMatchObject({
    status: 'ok',
    says: expect.stringMatching('http://127.0.0.1:8081/slack/interactions$'),
  });
  expect(await slackDecisions({ POLICY_FILE: undefined })).toMatchObject({ status: 'off' });
});

const BROKEN: [string, Record<string, string | undefined>, Found][] = [
  [
    'no broker',
    { NATS_URL: 'nats://127.0.0.1:1' },
    wrong('broker', /^No broker answers at nats:\/\/127.0.0.1:1$/, /^Start it, or set NATS_URL/),
  ],
  ['NATS_URL', { NATS_URL: 'http://x' }, wrong('broker', /^NATS_URL: must be nats:/, /^Set NATS_URL to nats:/)],
  [
    'the API key',
    { LIMACHARLIE_API_KEY: 'wrong' },
    wrong('LimaCharlie key', /does not accept the API key/, /^Create an API key with sensor.get/),
  ],
  [
    'half of LimaCharlie',
    { LIMACHARLIE_OID: undefined },
    wrong('LimaCharlie key', /LIMACHARLIE_OID is not set/, /^Set LIMACHARLIE_OID/),
  ],
  [
    'LimaCharlie away',
    { LIMACHARLIE_JWT_URL: 'http://127.0.0.1:1' },
    wrong('LimaCharlie key', /cannot be reached/, /^Check LIMACHARLIE_API_URL/),
  ],
  [
    'LimaCharlie address',
    { LIMACHARLIE_API_URL: 'x' },
    wrong('LimaCharlie key', /^LIMACHARLIE_API_URL: /, /^Correct LIMACHARLIE_API_URL/),
  ],
  [
    'webhook secret',
    { LIMACHARLIE_WEBHOOK_SECRETS: ',' },
    wrong('webhook secret', /at least one secret/, /^Correct LIMACHARLIE_WEBHOOK_SECRETS/),
  ],
  ['Slack token', { SLACK_BOT_TOKEN: 'xoxb-wrong' }, wrong('Slack', /^invalid_auth$/, /^Install the Slack app again/)],
  [
    'Slack channel',
    { SLACK_CHANNEL: 'C0OTHER0001' },
    wrong('Slack channel', /^channel_not_found$/, /^SLACK_CHANNEL must be the ID/),
  ],
  [
    'Slack channel name',
    { SLACK_CHANNEL: '#incidents' },
    wrong('Slack', /must be the ID of a channel/, /^Correct SLACK_CHANNEL/),
  ],
  [
    'Slack away',
    { SLACK_API_URL: 'http://127.0.0.1:2/api/', SLACK_APP_TOKEN: undefined, POLICY_FILE: undefined },
    wrong('Slack', /^ECONNREFUSED$/, /^Check SLACK_API_URL/),
  ],
  [
    'Slack app token',
    { SLACK_APP_TOKEN: 'xapp-wrong' },
    wrong('Slack decisions', /^invalid_auth$/, /^Turn on Socket Mode .* into SLACK_APP_TOKEN/),
  ],
  [
    'Slack token in the place of the app token',
    { SLACK_APP_TOKEN: 'xoxb-a-token' },
    wrong('Slack decisions', /must be an app-level token/, /^Correct SLACK_APP_TOKEN/),
  ],
  [
    'deciding in Slack, which nobody hears',
    { SLACK_APP_TOKEN: undefined },
    wrong(
      'Slack decisions',
      /^the policy lets people decide in Slack/,
      /^Set SLACK_SIGNING_SECRET, or SLACK_APP_TOKEN/,
    ),
  ],
  [
    'half of deciding in Slack',
    { SLACK_BOT_TOKEN: undefined, SLACK_CHANNEL: undefined },
    wrong('Slack decisions', /SLACK_BOT_TOKEN, which opens/, /^Set SLACK_BOT_TOKEN/),
  ],
  [
    'mail server',
    { SMTP_URL: 'smtp://127.0.0.1:1' },
    wrong('mail', /^127.0.0.1:1: /, /^Check host and port in SMTP_URL/),
  ],
  ['SMTP_URL', { SMTP_URL: 'mail.example.com' }, wrong('mail', /^SMTP_URL: must be smtp:/, /^Correct SMTP_URL/)],
  [
    'half of mail',
    { EMAIL_TO: undefined, EMAIL_FROM: undefined },
    wrong('mail', /EMAIL_FROM and EMAIL_TO are not set/, /^Set EMAIL_FROM and EMAIL_TO, or leave/),
  ],
  ['TLS', { SMTP_REQUIRE_TLS: 'true' }, wrong('mail', /ETLS/, /^No encrypted connection/)],
  ['issuer', { OIDC_ISSUER: 'http://127.0.0.1:2' }, wrong('sign-in', /ECONNREFUSED/, /^Check OIDC_ISSUER, and/)],
  [
    'client secret',
    { OIDC_CLIENT_SECRET: 'wrong' },
    wrong('sign-in client', /invalid_client/, /^Check OIDC_CLIENT_ID and/),
  ],
  [
    'policy',
    { POLICY_FILE: '/nowhere/policy.yaml' },
    wrong('policy', /^\/nowhere\/policy.yaml: cannot be read \(ENOENT\)$/, /^Correct POLICY_FILE/),
  ],
  [
    'signing key',
    { DECISION_SIGNING_KEY: 'nobody-may-see' },
    wrong('decision keys', /must be an Ed25519 private key/, /^Correct DECISION_SIGNING_KEY/),
  ],
  [
    'public key of another',
    {
      DECISION_PUBLIC_KEYS: generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    },
    wrong('decision keys', /every decision would be refused$/, /^Set DECISION_PUBLIC_KEYS to/),
  ],
  ['client id', { OIDC_CLIENT_ID: 'nobody' }, wrong('sign-in client', /invalid_client/, /^Check OIDC_CLIENT_ID and/)],
];

function wrong(check: string, says: RegExp, fix: RegExp): Found {
  return { check, status: 'wrong', says: expect.stringMatching(says), fix: expect.stringMatching(fix) };
}

test.for(BROKEN)('broken %s: what is wrong, how to mend it, exit code 1', async ([, changes, expected]) => {
  const { code, wrong } = await doctor(changes);
  expect(wrong).toEqual([expected]);
  expect(expected.fix && wrong[0]?.fix?.trim().endsWith('.')).toBe(true);
  expect(code).toBe(1);
});

test('a login that the mail server refuses, and a drifted topology', async () => {
  all.mail.faults.add({ kind: 'reply', code: 535, stage: 'auth', times: 1 });
  expect((await doctor()).wrong).toEqual([wrong('mail', /EAUTH/, /check user and password in SMTP_URL/)]);
  await using empty = await startBroker();
  expect((await doctor({ NATS_URL: empty.url })).wrong).toEqual([
    wrong('topology', /stream CORDON_EVENTS is missing; .*and \d+ more$/, /cordon topology --apply/),
  ]);
});

/** A counterpart that says what no stand-in would. */
async function answering(listener: (base: string) => RequestListener) {
  const server = createServer((request, response) => listener(base)(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  return { base, [Symbol.asyncDispose]: async () => void server.close() };
}

test('a key without a permission, and a Slack app without a scope', async () => {
  await using cloud = await answering(() => (request, response) => {
    if (request.url === '/jwt') response.end('{"jwt":"a.b.c"}');
    else response.end('{"ident":"x","perms":["sensor.get","sensor.list"]}');
  });
  const changes = { LIMACHARLIE_API_URL: cloud.base, LIMACHARLIE_JWT_URL: `${cloud.base}/jwt` };
  expect((await doctor(changes)).wrong).toEqual([
    wrong('LimaCharlie key', /^the key may not sensor.task$/, /^Give the API key sensor.task in LimaCharlie.$/),
  ]);
  await using slack = await answering(() => (_request, response) => {
    response.setHeader('x-oauth-scopes', 'channels:history').setHeader('content-type', 'application/json');
    response.end('{"ok":true,"team":"t","user":"u"}');
  });
  expect((await doctor({ SLACK_API_URL: `${slack.base}/api/` })).wrong).toEqual([
    wrong('Slack', /chat:write is missing/, /^Give the Slack app the scope chat:write/),
  ]);
});

const discovery = (issuer: string, base: string) =>
  JSON.stringify({ issuer, token_endpoint: `${base}/token`, authorization_endpoint: `${base}/auth` });

test('a provider with another name, without discovery, or with another time', async () => {
  await using renamed = await answering(
    (base) => (_request, response) => response.end(discovery('https://other.example', base)),
  );
  expect((await doctor({ OIDC_ISSUER: renamed.base })).wrong).toEqual([
    wrong('sign-in', /calls itself https:\/\/other.example/, /^Set OIDC_ISSUER to exactly that/),
  ]);
  await using page = await answering(() => (_request, response) => response.end('<h1>hello</h1>'));
  expect((await doctor({ OIDC_ISSUER: page.base })).wrong).toEqual([
    wrong('sign-in', /is no discovery document/, /^Check that OIDC_ISSUER serves/),
  ]);
  await using late = await answering((base) => (request, response) => {
    response.setHeader('date', new Date(Date.now() - 60_000).toUTCString());
    response.end(request.url === '/token' ? '{"error":"invalid_grant"}' : discovery(base, base));
  });
  const { code, wrong: found } = await doctor({ OIDC_ISSUER: late.base });
  expect({ code, found }).toEqual({
    code: 1,
    found: [wrong('clock', /is (59|60|61)\.\d s ahead of the identity/, /^Let NTP/)],
  });
});

const at = (ms: number) => new Date(1_700_000_000_000 + ms);

test('clocks may differ a little', () => {
  expect(clockFinding('x', at(0), at(4900)).status).toBe('ok');
  expect(clockFinding('x', at(6000), at(0))).toMatchObject({ status: 'wrong', says: 'this machine is 6.0 s behind x' });
});
