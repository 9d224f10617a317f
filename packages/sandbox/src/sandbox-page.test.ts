import { LogLevel, WebClient, type Logger } from '@slack/web-api';
import { createTransport } from 'nodemailer';
import { request as requestOf } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LimaCharlieSandbox } from './limacharlie.ts';
import { isolation, login, patience, sid, start as startCloud } from './limacharlie-test-client.ts';
import { loadRules } from './load-rules.ts';
import { startMail, type Mail } from './mail.ts';
import { startSandboxPage, type SandboxPage } from './sandbox-page.ts';
import { LAZAGNE } from './sandbox-page-view.ts';
import { startSlack, type Slack } from './slack.ts';
import { startWindowsMachine, type WindowsMachine } from './windows.ts';

const incidentsUrl = 'http://127.0.0.1:8081/';
const channel = 'C0ALERTS';
const token = 'xoxb-sandbox';

let limaCharlie: LimaCharlieSandbox;
let machine: WindowsMachine;
let slack: Slack;
let mail: Mail;
let page: SandboxPage;

beforeEach(async () => {
  limaCharlie = await startCloud();
  machine = startWindowsMachine({ hostname: 'WIN-SRV-01', sid, limaCharlie, rules: loadRules(), relaunchMs: 10 });
  [slack, mail] = await Promise.all([startSlack({ token, channel }), startMail()]);
  page = await startSandboxPage({ port: 0, incidentsUrl, limaCharlie, machine, slack, mail });
});
afterEach(async () => {
  for (const part of [page, mail, slack, machine, limaCharlie]) await part.close();
});

const look = async (path = '/'): Promise<string> => (await fetch(page.url + path)).text();

const post = (path: string, form: Record<string, string>, headers: Record<string, string> = { origin: page.url }) =>
  fetch(page.url + path, { method: 'POST', body: new URLSearchParams(form), headers, redirect: 'manual' });

const turn = (id: string, on: boolean) => post('/switches', { switch: id, on: String(on) });

/** The part of the page that is kept up to date under this name, up to the next one. */
const part = (shown: string, name: string): string =>
  shown.split(/(?=data-live=")/).find((piece) => piece.startsWith(`data-live="${name}"`)) ?? '';

const nothing = (): void => undefined;
const silent: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  setLevel: nothing,
  setName: nothing,
  getLevel: () => LogLevel.ERROR,
};
const client = () =>
  new WebClient(token, {
    slackApiUrl: slack.apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logger: silent,
  });
const send = (subject: string, html = '<p style="color: red">Isolate?</p>') =>
  createTransport({ host: '127.0.0.1', port: mail.port, ignoreTLS: true }).sendMail({
    from: 'cordon@example.com',
    to: 'soc@example.com',
    subject,
    text: 'Isolate?',
    html,
  });

test('says what to do, and where the incidents are', async () => {
  const shown = await look();
  for (const text of ['Cordon sandbox', 'Run LaZagne.exe', 'Read Slack or the mail', 'sign in as Alice']) {
    expect(shown).toContain(text);
  }
  expect(shown).toContain(`href="${incidentsUrl}"`);
  expect(part(shown, 'sensor')).toContain('Connected');
});

describe('the machine', () => {
  test('LaZagne runs at one click: the prompt shows it, and the cloud has its detections', async () => {
    const answer = await post('/run', { line: LAZAGNE });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/#machine']);
    await machine.settled();
    const shown = part(await look(), 'terminal');
    expect(shown).toContain('PS C:\\Users\\mallory\\Downloads&gt;');
    expect(shown).toContain('.\\LaZagne.exe all');
    expect(shown).toContain('The LaZagne Project');
    expect(machine.events).toHaveLength(2);
  });

  test('runs what is typed, in order, and clears its window', async () => {
    await post('/run', { line: 'whoami' });
    await post('/run', { line: 'hostname' });
    expect(part(await look(), 'terminal')).toMatch(/whoami[\s\S]*win-srv-01\\mallory[\s\S]*hostname[\s\S]*WIN-SRV-01/);
    await post('/run', { line: 'cls' });
    expect(part(await look(), 'terminal')).not.toContain('whoami');
  });

  test('keeps the open mail in view', async () => {
    await send('one');
    await send('two');
    expect(await look('/?mail=1')).toContain('action="/run?mail=1"');
    expect((await post('/run?mail=1', { line: 'dir' })).headers.get('location')).toBe('/?mail=1#machine');
  });

  test('shows what the sensor reports, not what was asked for', async () => {
    const call = await login(limaCharlie);
    await call('POST', isolation);
    expect(part(await look(), 'sensor')).toMatch(/Connected[\s\S]*Isolation wished, not applied yet\./);
    await expect.poll(async () => part(await look(), 'sensor'), patience).toMatch(/Isolated[\s\S]*Only LimaCharlie/);
    limaCharlie.setOnline(sid, false);
    expect(part(await look(), 'sensor')).toMatch(/Offline[\s\S]*Last report: isolated\./);
  });

  test('says so when LimaCharlie could not deliver', async () => {
    limaCharlie.setWebhook({ url: 'http://127.0.0.1:1/', secret: 'x' });
    await post('/run', { line: LAZAGNE });
    await expect.poll(async () => part(await look(), 'paused'), patience).toContain('could not deliver');
  });
});

describe('Slack and mail', () => {
  test('are shown as their readers see them', async () => {
    await client().chat.postMessage({ channel, text: '*Isolate* WIN-SRV-01?' });
    await send('first');
    await send('second');
    const latest = await look();
    expect(part(latest, 'slack')).toMatch(/# incident-response[\s\S]*<b>Isolate<\/b> WIN-SRV-01\?/);
    expect(part(latest, 'mailbox')).toMatch(/href="\?mail=2"[\s\S]*second[\s\S]*href="\?mail=1"[\s\S]*first/);
    expect(part(latest, 'mail')).toContain('<h3>second</h3>');
    expect(part(await look('/?mail=1'), 'mail')).toContain('<h3>first</h3>');
    expect(part(await look('/?mail=nonsense'), 'mail')).toContain('<h3>second</h3>');
  });
});

describe('the switches', () => {
  test.for<[id: string, isBroken: () => unknown]>([
    ['machine-offline', () => limaCharlie.sensors()[0]?.online === false],
    [
      'slack-down',
      () =>
        client()
          .auth.test()
          .then(
            () => false,
            () => true,
          ),
    ],
    [
      'slack-rate-limited',
      () =>
        client()
          .auth.test()
          .then(
            () => false,
            () => true,
          ),
    ],
    [
      'mail-down',
      () =>
        send('x').then(
          () => false,
          () => true,
        ),
    ],
    ['limacharlie-500', () => fetch(`${limaCharlie.apiUrl}/v1/who`).then(({ status }) => status === 500)],
    ['limacharlie-429', () => fetch(`${limaCharlie.apiUrl}/v1/who`).then(({ status }) => status === 429)],
    [
      'limacharlie-slow',
      () => limaCharlie.faults.list().some(({ kind, delayMs }) => kind === 'slow' && delayMs === 5000),
    ],
    [
      'limacharlie-dropped',
      () =>
        fetch(`${limaCharlie.apiUrl}/v1/who`).then(
          () => false,
          () => true,
        ),
    ],
  ])('%s breaks it, says so, and repairs it', async ([id, isBroken]) => {
    const checked = async () => new RegExp(`id="switch-${id}"[^>]*aria-checked="(\\w+)"`).exec(await look())?.[1];
    expect([await isBroken(), await checked()]).toEqual([false, 'false']);
    expect((await turn(id, true)).headers.get('location')).toBe('/#break-things');
    expect([await isBroken(), await checked()]).toEqual([true, 'true']);
    expect(part(await look(), 'broken')).toContain('class="trouble"');
    await turn(id, false);
    expect([await isBroken(), await checked()]).toEqual([false, 'false']);
    expect(part(await look(), 'broken')).toContain('Everything works.');
  });

  test('of one service, one fault replaces the other', async () => {
    await turn('limacharlie-500', true);
    await turn('slack-down', true);
    await turn('limacharlie-429', true);
    expect(limaCharlie.faults.list().map(({ kind }) => kind)).toEqual(['429']);
    expect(slack.faults.list()).toEqual([{ kind: 'down' }]);
  });

  test('there is no other', async () => {
    expect((await turn('coffee', true)).status).toBe(404);
    expect((await post('/switches', { switch: 'slack-down', on: 'maybe' })).status).toBe(400);
    expect((await post('/run', {})).status).toBe(400);
  });
});

test('a part that is connected for real is named, and has nothing to break', async () => {
  await page.close();
  page = await startSandboxPage({ port: 0, incidentsUrl });
  const none = await look();
  expect(none.match(/The real [\w ]+ is connected/g)).toEqual([
    'The real LimaCharlie is connected',
    'The real Slack is connected',
    'The real mail server is connected',
  ]);
  expect(none).not.toContain('Break things');
  expect((await post('/run', { line: 'whoami' })).status).toBe(303);

  await page.close();
  page = await startSandboxPage({ port: 0, incidentsUrl, limaCharlie, machine, mail });
  const some = await look();
  expect(some.match(/The real [\w ]+ is connected/g)).toEqual(['The real Slack is connected']);
  expect(some).toContain('switch-mail-down');
  expect(some).not.toContain('switch-slack-down');
});

describe('other sites', () => {
  test.for<Record<string, string>>([
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:8090' },
    {},
  ])('may not change anything: %o', async (headers) => {
    expect((await post('/run', { line: LAZAGNE }, headers)).status).toBe(403);
    expect((await post('/switches', { switch: 'slack-down', on: 'true' }, headers)).status).toBe(403);
    expect(machine.events).toEqual([]);
    expect(slack.faults.list()).toEqual([]);
  });

  test('may not read under a name of theirs', async () => {
    const host = `evil.example:${new URL(page.url).port}`;
    for (const path of ['/', '/events', '/assets/sandbox.js']) {
      expect((await requestOf(page.url + path, { headers: { host } })).statusCode).toBe(403);
    }
    const { port } = new URL(page.url);
    expect((await requestOf(page.url, { headers: { host: `localhost:${port}` } })).statusCode).toBe(200);
  });
});

test('nothing that is shown becomes markup', async () => {
  const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`;
  await post('/run', { line: `.\\${evil}LaZagne.exe ${evil}` });
  await post('/run', { line: evil });
  await client().chat.postMessage({ channel, text: `Isolate ${evil}?` });
  await send(`Isolate ${evil}?`, `<p>${evil}</p>`);
  const shown = await look(`/?mail=${encodeURIComponent(evil)}`);
  expect(machine.events[0]?.event['FILE_PATH']).toContain(evil);
  expect(shown.match(/<script/g)).toHaveLength(1);
  expect(shown).not.toMatch(/<img/);
  expect(part(shown, 'terminal')).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(part(shown, 'mail')).toContain('sandbox="allow-popups allow-popups-to-escape-sandbox"');
});

test('runs no code but its own', async () => {
  const { headers } = await fetch(page.url);
  expect(headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self';/);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  const shown = await look();
  const assets = [...shown.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path ?? '');
  expect(assets).toHaveLength(4);
  for (const path of assets) expect((await fetch(page.url + path)).status).toBe(200);
});

test('tells a page that listens whenever something changed', async () => {
  const stream = await fetch(`${page.url}/events`);
  expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  let heard = '';
  const listening = (async () => {
    for await (const chunk of stream.body ?? []) heard += Buffer.from(chunk).toString();
  })().catch(nothing);
  const count = (): number => heard.split('event: changed').length - 1;
  await expect.poll(count).toBe(1);
  const changes: (() => Promise<unknown>)[] = [
    () => post('/run', { line: 'dir' }),
    () => client().chat.postMessage({ channel, text: 'Isolate?' }),
    () => send('Isolate?'),
    () => turn('mail-down', true),
    async () => limaCharlie.setIsolated(sid, true),
  ];
  for (const change of changes) {
    const before = count();
    await change();
    await expect.poll(count).toBe(before + 1);
  }
  await page.close(); // which does not wait for those who listen
  await listening;
});
