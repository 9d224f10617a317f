import { freePort, type IdentityProvider, startIdentityProvider } from '@cordon/sandbox';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Page, Person } from '../../../test/e2e/person.ts';
import { CLIENT_SECRET, type Lab, SECRET, STALE, startLab } from './page-lab.ts';
import { SESSION_COOKIE } from './session-store.ts';

const LOGIN_COOKIE = '__Host-cordon_login';
let lab: Lab;
let provider: IdentityProvider;
let startProvider: (clientSecret?: string) => Promise<IdentityProvider>;

beforeAll(async () => {
  const [port, providerPort] = [await freePort(), await freePort()];
  startProvider = (clientSecret = CLIENT_SECRET) =>
    startIdentityProvider({
      port: providerPort,
      clientId: 'cordon',
      clientSecret,
      redirectUris: [`http://127.0.0.1:${port}/callback`],
    });
  lab = await startLab({ OIDC_ISSUER: `http://127.0.0.1:${providerPort}` }, port);
});
afterAll(() => lab[Symbol.asyncDispose]());
afterEach(() => vi.restoreAllMocks());

/** Presses a button of the provider's page. */
const choose = (person: Person, chooser: Page, sub: string): Promise<Page> =>
  person.post(chooser.url.href, { ...chooser.forms()[0]?.fields, sub });

const addressOf = (input: string | URL | Request): string => (input instanceof Request ? input.url : input.toString());

/** The log since now. */
function listen(): () => string {
  const before = lab.output().length;
  return () => lab.output().slice(before);
}

describe('without the provider', () => {
  test('a person is told so, the log says what to do, and it works as soon as the provider is there', async () => {
    const said = listen();
    const person = lab.stranger();
    const away = await person.get('/');
    expect(away.status).toBe(503);
    expect(away.text).toContain('Sign-in is not available');
    expect(away.headers.get('retry-after')).toBe('10');
    expect(said()).toContain('check OIDC_ISSUER and the way to it');
    expect(said()).toContain('ECONNREFUSED');

    provider = await startProvider();
    expect((await person.signIn('Alice')).text).toContain('Incidents');

    const late = lab.stranger();
    const chooser = await late.get('/');
    await provider.close();
    expect((await lab.stranger().get('/')).status).toBe(503); // though it was known already
    const begun = { cookie: `${LOGIN_COOKIE}=${late.cookie(LOGIN_COOKIE)}` };
    const state = chooserState(late);
    const returned = await lab.app.inject({
      url: `/callback?code=x&state=${state}&iss=${encodeURIComponent(provider.issuer)}`,
      headers: begun,
    });
    expect(returned.statusCode).toBe(503);
    expect(chooser.status).toBe(200);
    provider = await startProvider();
  });

  test('a wrong secret is an operator’s fault, and the log names the setting', async () => {
    await provider.close();
    provider = await startProvider('quite-another-secret');
    const said = listen();
    const page = await lab.stranger().signIn('Alice');
    expect(page.status).toBe(503);
    expect(said()).toContain('check OIDC_CLIENT_ID and OIDC_CLIENT_SECRET');
    expect(said()).toContain('invalid_client');
    await provider.close();
    provider = await startProvider();
  });
});

/** The state inside a login cookie. */
function chooserState(person: Person): string {
  return new URLSearchParams(decodeURIComponent(person.cookie(LOGIN_COOKIE) ?? '')).get('state') ?? '';
}

describe('signing in', () => {
  test('gives a new session, and the one before it is worth nothing', async () => {
    const person = await lab.signedIn({ name: 'Planted' });
    const planted = person.cookie(SESSION_COOKIE) ?? '';
    await person.signIn('Alice');
    expect(person.cookie(SESSION_COOKIE)).not.toBe(planted);
    expect(person.cookieNames()).toEqual([SESSION_COOKIE]);
    const other = lab.stranger();
    other.setCookie(SESSION_COOKIE, planted);
    expect((await other.get('/')).url.pathname).toMatch(/^\/interaction/);
  });

  test('leads back to where one was going', async () => {
    const { id } = await lab.asked();
    const person = lab.stranger();
    expect((await choose(person, await person.get(`/approvals/${id}`), 'alice')).url.pathname).toBe(`/approvals/${id}`);
    const tracked = lab.stranger();
    expect((await tracked.signIn('Alice', `/approvals/${id}?utm_source=mail`)).url.pathname).toBe(`/approvals/${id}`);
  });

  test.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/login',
    '/approvals/x',
    '/approvals/../signed-out',
    `/approvals/${'a'.repeat(32)}/decide`,
    `/approvals/${'a'.repeat(32)}\n`,
  ])('leads nowhere else: %j', async (to) => {
    const page = await lab.stranger().signIn('Alice', to);
    expect(page.url.href).toBe(`${lab.url}/`);
  });

  test('asks the provider with PKCE, state and nonce; a fresh sign-in also by max_age and prompt', async () => {
    const target = async (url: string): Promise<Record<string, string>> => {
      const { headers } = await lab.app.inject({ url });
      return Object.fromEntries(new URL(String(headers.location)).searchParams);
    };
    const first = await target('/login');
    expect(first).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      max_age: '43200',
      redirect_uri: `${lab.url}/callback`,
    });
    expect(first['state']).not.toBe((await target('/login'))['state']);
    expect(first['nonce']?.length).toBeGreaterThan(40);
    expect(await target('/login?step=1')).toMatchObject({ max_age: '300', prompt: 'login' });
    expect((await lab.app.inject({ url: '/login', headers: { host: 'evil.example' } })).headers.location).not.toContain(
      'evil',
    );
  });

  test('gives the role of one’s groups, and none without', async () => {
    expect((await lab.stranger().signIn('Victor')).text).toContain('Victor Viewer viewer');
    expect((await lab.stranger().signIn('Alice')).text).toContain('Alice Approver approver');
    const mallory = lab.stranger();
    const page = await mallory.signIn('Mallory');
    expect(page.status).toBe(403);
    expect(page.text).toContain('Ask for membership in “cordon-viewers” or “cordon-approvers”');
    expect(mallory.cookie(SESSION_COOKIE)).toBeUndefined();
    expect((await mallory.get('/login?step=1')).text).toContain('Sign in again'); // and can be somebody else
  });

  test('works once per code, and only in the browser that began it', async () => {
    const urls: string[] = [];
    const real = fetch;
    vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => {
      urls.push(addressOf(input));
      return real(input, init);
    });
    const person = lab.stranger();
    const chooser = await person.get('/');
    const begun = { cookie: `${LOGIN_COOKIE}=${person.cookie(LOGIN_COOKIE)}` };
    await choose(person, chooser, 'alice');
    const callback = new URL(urls.find((url) => url.includes('/callback?')) ?? '');
    const url = `${callback.pathname}${callback.search}`;

    const said = listen();
    const stranger = await lab.app.inject({ url });
    const replayed = await lab.app.inject({ url, headers: begun });
    const foreign = await lab.app.inject({ url: url.replace(/state=[^&]+/, 'state=another'), headers: begun });
    const broken = await lab.app.inject({
      url,
      headers: { cookie: `${LOGIN_COOKIE}=${person.cookie(SESSION_COOKIE)}` },
    });
    for (const answer of [stranger, replayed, foreign, broken]) {
      expect(answer.statusCode).toBe(400);
      expect(answer.body).toContain('Sign-in did not work');
      expect(String(answer.headers['set-cookie'])).not.toContain(SESSION_COOKIE);
    }
    expect(said()).toContain('invalid_grant');
    expect(said()).toContain('PUBLIC_URL');
    for (const name of ['code', 'state']) expect(said()).not.toContain(callback.searchParams.get(name));
  });
});

describe('a fresh sign-in', () => {
  test('is asked for before a yes, and leads to the confirmation of what was chosen, which is not yet done', async () => {
    const incident = await lab.asked();
    const alice = lab.stranger();
    await alice.signIn('Alice');
    await lab.change(alice, STALE);
    const { action, fields } = (await alice.get(`/approvals/${incident.id}`)).form(/review/);
    const page = await alice.post(action, { ...fields, choice: 'isolate', reason: 'it is on fire' });
    const link = /href="(\/login\?step=1[^"]+)"/.exec(page.body)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const chooser = await alice.get(link);
    expect(chooser.text).toContain('Sign in again');
    const confirmation = await choose(alice, chooser, 'alice');
    expect(confirmation.text).toContain('Isolate win-srv-07 now?');
    expect(confirmation.text).toContain('it is on fire');
    expect(await lab.decisions(incident)).toBe(0);
    const form = confirmation.form(/decide/);
    expect((await alice.post(form.action, form.fields)).text).toContain('Isolation decided');
  });

  test('of somebody else does not take over the choice', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn(STALE);
    const { action, fields } = (await alice.get(`/approvals/${incident.id}`)).form(/review/);
    await alice.post(action, { ...fields, choice: 'isolate', reason: 'it is on fire' });
    const to = encodeURIComponent(`/approvals/${incident.id}?confirm=1`);
    const page = await choose(alice, await alice.get(`/login?step=1&to=${to}`), 'bob');
    expect(page.text).toContain('Bob Approver');
    expect(page.text).not.toContain('it is on fire');
    expect(page.form(/review/).action).toContain(incident.id);
  });
});

test('signing out ends the session everywhere and clears the browser', async () => {
  const alice = lab.stranger();
  const page = await alice.signIn('Alice');
  const cookie = alice.cookie(SESSION_COOKIE) ?? '';
  const { fields } = page.form(/logout/);
  const answer = await lab.app.inject({
    method: 'POST',
    url: '/logout',
    headers: {
      cookie: `${SESSION_COOKIE}=${cookie}`,
      origin: lab.url,
      'content-type': 'application/x-www-form-urlencoded',
    },
    payload: new URLSearchParams(fields).toString(),
  });
  expect(answer.statusCode).toBe(303);
  expect(answer.headers['clear-site-data']).toBe('"cookies", "storage"');
  expect(answer.headers['set-cookie']).toMatch(/^__Host-cordon_sid=; .*Expires=Thu, 01 Jan 1970.*Secure/);
  expect((await lab.app.inject({ url: '/', headers: { cookie: `${SESSION_COOKIE}=${cookie}` } })).statusCode).toBe(302);
  expect(
    (await lab.app.inject({ url: '/events', headers: { cookie: `${SESSION_COOKIE}=${cookie}` } })).statusCode,
  ).toBe(401);
});

test('nothing that was logged holds a cookie, code, state, token or secret', async () => {
  const secrets = new Set<string>([SECRET, CLIENT_SECRET]);
  const real = fetch;
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const url = new URL(addressOf(input));
    for (const name of ['code', 'state', 'nonce', 'code_challenge']) secrets.add(url.searchParams.get(name) ?? SECRET);
    const response = await real(input, init);
    for (const line of response.headers.getSetCookie())
      secrets.add(line.slice(line.indexOf('=') + 1).split(';')[0] || SECRET);
    return response;
  });
  const incident = await lab.asked();
  const person = lab.stranger();
  await person.signIn('Alice');
  const page = await person.get(`/approvals/${incident.id}`);
  const { action, fields } = page.form(/review/);
  secrets.add(fields['csrf'] ?? SECRET);
  await person.post(action, { ...fields, csrf: 'wrong', choice: 'leave', reason: 'the test says so' });
  await person.post(action.replace('review', 'decide'), { ...fields, choice: 'leave', reason: 'the test says so' });
  await person.get('/callback?code=wrong-code-1&state=wrong-state-1');
  for (const cookie of Array.from(secrets)) secrets.add(decodeURIComponent(cookie).split('.')[0] || SECRET); // the session id itself
  const { verifier = SECRET } = Object.fromEntries(
    new URLSearchParams(decodeURIComponent([...secrets].find((value) => value.includes('verifier')) ?? '')),
  );
  secrets.add(verifier).add('wrong-code-1').add('wrong-state-1');
  expect(secrets.size).toBeGreaterThan(10);
  for (const secret of secrets) expect(lab.output()).not.toContain(secret);
  expect(lab.output()).toContain('decided');
});

test('a provider that wants the secret as a header is understood', async () => {
  const [port, providerPort] = [await freePort(), await freePort()];
  await using _provider = await startIdentityProvider({
    port: providerPort,
    clientId: 'cordon',
    clientSecret: CLIENT_SECRET,
    clientAuth: 'client_secret_basic',
    redirectUris: [`http://127.0.0.1:${port}/callback`],
  });
  await using other = await startLab({ OIDC_ISSUER: `http://127.0.0.1:${providerPort}` }, port);
  for (const name of ['Alice', 'Bob']) expect((await other.stranger().signIn(name)).text).toContain('Incidents');
});
