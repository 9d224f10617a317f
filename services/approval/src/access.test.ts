import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '../../../test/e2e/person.ts';
import { type Lab, SIGN_INS, startLab } from './page-lab.ts';
import { SESSION_COOKIE } from './session-store.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const REASON = 'the test says so';
const fieldsFor = async (person: Person, id: string): Promise<Record<string, string>> =>
  (await person.get(`/approvals/${id}`)).form(/review/).fields;
const cookieOf = (person: Person): { cookie: string } => ({
  cookie: `${SESSION_COOKIE}=${person.cookie(SESSION_COOKIE)}`,
});

describe('a machine that opens links', () => {
  test('changes nothing with GET, HEAD, or any form that it fills in and sends', async () => {
    const incident = await lab.asked();
    const page = await (await lab.signedIn()).get(`/approvals/${incident.id}`);
    const { action, fields } = page.form(/review/);
    const before = await lab.now(incident);
    for (const method of ['HEAD', 'GET'] as const) {
      for (const path of ['', '/review', '/decide', '/release', '/events', '?confirm=1']) {
        const { statusCode } = await lab.app.inject({ method, url: `/approvals/${incident.id}${path}` });
        expect([302, 401, 404]).toContain(statusCode);
      }
    }
    for (const url of [action, `/approvals/${incident.id}/decide`, `/approvals/${incident.id}/release`]) {
      const answer = await lab.stranger().post(url, { ...fields, choice: 'isolate', reason: REASON, checked: 'yes' });
      expect(answer.status).toBe(401);
      expect(answer.text).toContain('Nothing was changed');
    }
    expect(await lab.now(incident)).toEqual(before);
  });

  test('learns nothing about an incident', async () => {
    const incident = await lab.asked();
    const known = await lab.app.inject({ url: `/approvals/${incident.id}` });
    const unknown = await lab.app.inject({ url: `/approvals/${'0'.repeat(32)}` });
    expect(known.headers.location).toBe(`/login?to=%2Fapprovals%2F${incident.id}`);
    expect(known.statusCode).toBe(unknown.statusCode);
    expect(known.body + unknown.body).not.toContain(incident.hostname);
  });

  test('changes nothing with HEAD even inside a session', async () => {
    const incident = await lab.contained();
    const before = await lab.now(incident);
    const headers = cookieOf(await lab.signedIn());
    for (const path of ['/', `/approvals/${incident.id}`, `/approvals/${incident.id}/release`]) {
      const answer = await lab.app.inject({ method: 'HEAD', url: path, headers });
      expect([path, answer.statusCode, answer.body, answer.headers['set-cookie']]).toEqual([path, 200, '', undefined]);
    }
    for (const path of ['/login', '/callback', '/events', `/approvals/${incident.id}/events`, '/logout']) {
      expect((await lab.app.inject({ method: 'HEAD', url: path, headers })).statusCode).toBe(404);
    }
    expect(await lab.now(incident)).toEqual(before);
  });
});

describe('a form that did not come from our page', () => {
  test.each<[name: string, headers: Record<string, string | undefined>, allowed: boolean]>([
    ['our own', {}, true],
    ['no Origin, but same-origin', { origin: undefined }, true],
    ['Origin, but no fetch metadata', { 'sec-fetch-site': undefined }, true],
    ['neither', { origin: undefined, 'sec-fetch-site': undefined }, false],
    ['foreign Origin', { origin: 'https://evil.example' }, false],
    ['foreign Origin without fetch metadata', { origin: 'https://evil.example', 'sec-fetch-site': undefined }, false],
    ['Origin null', { origin: 'null' }, false],
    ['Origin null without fetch metadata', { origin: 'null', 'sec-fetch-site': undefined }, false],
    ['our Origin, cross-site', { 'sec-fetch-site': 'cross-site' }, false],
    ['our Origin, same-site', { 'sec-fetch-site': 'same-site' }, false],
    ['our Origin, none', { 'sec-fetch-site': 'none' }, false],
    ['no Origin, cross-site', { origin: undefined, 'sec-fetch-site': 'cross-site' }, false],
  ])('%s', async (_name, headers, allowed) => {
    const incident = await lab.asked();
    const person = await lab.signedIn();
    const { action, fields } = (await person.get(`/approvals/${incident.id}`)).form(/review/);
    const form = { ...fields, choice: 'leave', reason: REASON };
    expect((await person.post(action, form, headers)).status).toBe(allowed ? 200 : 403);
    await person.post(action.replace('review', 'decide'), form, headers);
    expect(await lab.decisions(incident)).toBe(allowed ? 1 : 0);
  });

  test('a missing or foreign token changes nothing', async () => {
    const [incident, other] = [await lab.asked(), await lab.asked()];
    const [alice, bob] = [await lab.signedIn(), await lab.signedIn({ name: 'Bob' })];
    const own = await fieldsFor(alice, incident.id);
    const logout = (await alice.get('/')).form(/logout/).fields['csrf'] ?? '';
    const tokens = {
      missing: undefined,
      empty: '',
      longer: `${own['csrf']}A`,
      'of another incident': (await fieldsFor(alice, other.id))['csrf'],
      'of another session': (await fieldsFor(bob, incident.id))['csrf'],
      'of another form': logout,
    };
    for (const [name, csrf] of Object.entries(tokens)) {
      const form = {
        digest: own['digest'] ?? '',
        choice: 'leave',
        reason: REASON,
        ...(csrf !== undefined && { csrf }),
      };
      const answer = await alice.post(`/approvals/${incident.id}/decide`, form);
      expect([name, answer.status]).toEqual([name, 403]);
    }
    expect(await lab.decisions(incident)).toBe(0);
  });

  test('signs nobody out', async () => {
    const alice = await lab.signedIn();
    const { fields } = (await alice.get('/')).form(/logout/);
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    expect((await alice.post('/logout', fields, foreign)).status).toBe(403);
    expect((await alice.post('/logout', { csrf: 'x' })).status).toBe(403);
    expect((await alice.get('/')).status).toBe(200);
  });

  test('a token outlives neither sign-out nor session', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const { action, fields } = (await alice.get(`/approvals/${incident.id}`)).form(/review/);
    await alice.post('/logout', (await alice.get('/')).form(/logout/).fields);
    const again = await lab.signedIn();
    expect((await alice.post(action, { ...fields, choice: 'leave', reason: REASON })).status).toBe(401);
    expect((await again.post(action, { ...fields, choice: 'leave', reason: REASON })).status).toBe(403);
  });
});

describe('roles', () => {
  test('a viewer sees the facts, but no form, and cannot decide with a form of their own', async () => {
    const incident = await lab.asked();
    const victor = await lab.signedIn({ name: 'Victor', role: 'viewer' });
    const page = await victor.get(`/approvals/${incident.id}`);
    expect(page.text).toContain('deciding needs the approver role');
    expect(page.forms().map((form) => form.action)).toEqual(['/logout']);
    const form = { ...page.form(/logout/).fields, choice: 'leave', reason: REASON };
    for (const step of ['review', 'decide', 'release']) {
      expect((await victor.post(`/approvals/${incident.id}/${step}`, form)).status).toBe(403);
    }
    expect(await lab.decisions(incident)).toBe(0);
  });

  test('a role lost between page and POST decides nothing', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const form = await fieldsFor(alice, incident.id);
    await lab.change(alice, { role: 'viewer' });
    const answer = await alice.post(`/approvals/${incident.id}/decide`, { ...form, choice: 'leave', reason: REASON });
    expect(answer.text).toContain('You may look, but not decide');
    expect(answer.status).toBe(403);
    expect(await lab.decisions(incident)).toBe(0);
  });
});

describe('what is not there', () => {
  test('is one and the same page for everybody, whatever the id', async () => {
    const people = [await lab.signedIn(), await lab.signedIn({ name: 'Victor', role: 'viewer' })];
    const bodies = new Set<string>();
    for (const person of people) {
      for (const id of ['0'.repeat(32), 'f'.repeat(64), 'x', 'a.>', '*', '%00', '..%2f..']) {
        for (const path of ['', '/release']) {
          const page = await person.get(`/approvals/${id}${path}`);
          expect([id, page.status]).toEqual([id, 404]);
          bodies.add(page.body);
        }
      }
    }
    expect(bodies.size).toBe(1);
  });

  test('nor is an address that no URL can have', async () => {
    for (const url of ['/approvals/%zz', '/%E0%A4%A']) {
      const answer = await lab.app.inject({ url });
      expect([answer.statusCode, answer.body]).toEqual([400, 'Not understood.']);
    }
  });
});

describe('too much', () => {
  test('ten bad posts of a session stop it and warn; others go on, and it may sign out', async () => {
    const incident = await lab.asked();
    const mallory = await lab.signedIn({ name: 'Mallory' });
    const { action, fields } = (await mallory.get(`/approvals/${incident.id}`)).form(/review/);
    const warnings = (): number => lab.output().split('ten bad posts').length - 1;
    const before = warnings();
    for (let index = 0; index < 10; index++) {
      const bad = index % 2 === 0 ? { ...fields, csrf: 'guessed' } : { ...fields, choice: 'isolate', reason: '' };
      expect((await mallory.post(action, bad)).status).toBe(index % 2 === 0 ? 403 : 422);
    }
    expect(warnings()).toBe(before + 1);
    for (const step of ['review', 'decide']) {
      const good = { ...fields, choice: 'leave', reason: REASON };
      const stopped = await mallory.post(`/approvals/${incident.id}/${step}`, good);
      expect(stopped.status).toBe(429);
      expect(Number(stopped.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(warnings()).toBe(before + 1);
    expect(await lab.decisions(incident)).toBe(0);

    const alice = await lab.signedIn();
    const own = (await alice.get(`/approvals/${incident.id}`)).form(/review/);
    expect((await alice.post(own.action, { ...own.fields, choice: 'leave', reason: REASON })).status).toBe(200);
    expect((await mallory.post('/logout', (await mallory.get('/')).form(/logout/).fields)).text).toContain(
      'signed out',
    );
  });

  test('more than 60 pages a minute without a session, or 10 posts, are refused', async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 61; index++) {
      statuses.push((await lab.app.inject({ url: '/', remoteAddress: '10.9.9.9' })).statusCode);
    }
    expect(statuses.slice(-2)).toEqual([302, 429]);
    statuses.length = 0;
    for (let index = 0; index < 11; index++) {
      statuses.push((await lab.app.inject({ method: 'POST', url: '/logout', remoteAddress: '10.9.9.9' })).statusCode);
    }
    expect(statuses.slice(-2)).toEqual([401, 429]);
  });

  test('more sign-ins a minute from one address than the setting says are refused', async () => {
    const statuses: number[] = [];
    for (let index = 0; index <= SIGN_INS; index++) {
      statuses.push((await lab.app.inject({ url: '/callback?code=x', remoteAddress: '10.9.9.8' })).statusCode);
    }
    expect(statuses[SIGN_INS - 1]).not.toBe(429);
    expect(statuses[SIGN_INS]).toBe(429);
  });

  test('a body, header or kind of body beyond measure is refused without a trace of the inside', async () => {
    const alice = await lab.signedIn();
    const url = `/approvals/${(await lab.asked()).id}/decide`;
    const big = await alice.post(url, { reason: 'x'.repeat(70_000) });
    expect(big.status).toBe(413);
    const json = await alice.request(
      'POST',
      url,
      { 'content-type': 'application/json', origin: lab.url },
      '{"choice":"leave"}',
    );
    expect(json.status).toBe(415);
    for (const page of [big, json]) {
      expect(page.text).toContain('Nothing was changed');
      expect(page.text).not.toMatch(/FST_|Error|at .*\.js/);
    }
    expect((await alice.get('/', { 'x-huge': 'x'.repeat(20_000) })).status).toBe(431);
    expect((await lab.app.inject({ url: '/signed-out' })).statusCode).toBe(200);
  });
});

test('every page comes with the headers that keep it private', async () => {
  const incident = await lab.asked();
  const headers = cookieOf(await lab.signedIn());
  const answers = [
    await lab.app.inject({ url: '/', headers }),
    await lab.app.inject({ url: `/approvals/${incident.id}`, headers }),
    await lab.app.inject({ url: `/approvals/${incident.id}` }),
    await lab.app.inject({ url: '/nowhere' }),
    await lab.app.inject({ method: 'POST', url: `/approvals/${incident.id}/decide` }),
  ];
  for (const { headers: given } of answers) {
    expect(given).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy':
        "default-src 'none';style-src 'self';script-src 'self';img-src 'self';connect-src 'self';form-action 'self';frame-ancestors 'none';base-uri 'none'",
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-robots-tag': 'noindex, nofollow',
    });
  }
  expect(answers.at(-1)?.headers['vary']).toBe('Origin, Sec-Fetch-Site');
  expect(answers[0]?.headers['content-type']).toBe('text/html; charset=utf-8');
});

test('the session cookie is set as strictly as can be, and never beside an answer that caches keep', async () => {
  const alice = await lab.signedIn();
  const page = await lab.app.inject({ url: '/', headers: cookieOf(alice) });
  expect(page.headers['set-cookie']).toMatch(
    /^__Host-cordon_sid=[^;]+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/i,
  );
  for (const [path = ''] of page.body.matchAll(/\/assets\/[\w.-]+/g)) {
    const asset = await lab.app.inject({ url: path, headers: cookieOf(alice) });
    expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(asset.headers['set-cookie']).toBeUndefined();
  }
});
