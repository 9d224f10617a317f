import { sha256 } from '@cordon/contracts';
import { Signer } from '@fastify/cookie';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Person } from '../../../test/e2e/person.ts';
import { type Lab, SECRET, startLab } from './page-lab.ts';
import { findSession, SESSION_COOKIE, sessionStore } from './session-store.ts';

const MINUTE = 60_000;
let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

/** Whether a person is let in, without following them to the provider. */
async function isIn(person: Person, headers: Record<string, string> = {}): Promise<boolean> {
  const cookie = `${SESSION_COOKIE}=${person.cookie(SESSION_COOKIE)}`;
  return (await lab.app.inject({ url: '/', headers: { ...headers, cookie } })).statusCode === 200;
}

const idOf = (person: Person): string =>
  new Signer(SECRET).unsign(decodeURIComponent(person.cookie(SESSION_COOKIE) ?? '')).value ?? '';

/** What is so after some minutes. */
async function after<T>(minutes: number, look: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * MINUTE });
  try {
    return await look();
  } finally {
    vi.useRealTimers();
  }
}

test('a session ends after 15 minutes in which no page was opened', async () => {
  const alice = await lab.signedIn();
  expect(await after(14, () => isIn(alice))).toBe(true);
  expect(await after(28, () => isIn(alice))).toBe(true);
  expect(await after(28 + 15.1, () => isIn(alice))).toBe(false);
});

test('what the script fetches by itself does not keep it alive', async () => {
  const alice = await lab.signedIn();
  expect(await after(14, () => isIn(alice, { 'sec-fetch-dest': 'empty' }))).toBe(true);
  expect(await after(15.1, () => isIn(alice))).toBe(false);
});

test('a session ends after 12 hours, however busy', async () => {
  const busy = await lab.signedIn({ signedInAt: Date.now() - 12 * 60 * MINUTE + 5000 });
  expect(await isIn(busy)).toBe(true);
  expect(await after(0.1, () => isIn(busy))).toBe(false);
});

test('a cookie that was tampered with, or signed with another secret, is nobody’s', async () => {
  const alice = await lab.signedIn();
  const forged = lab.stranger();
  for (const value of [
    `${idOf(alice)}.x`,
    new Signer('another-secret-of-thirty-two-chars!').sign(idOf(alice)),
    idOf(alice),
    'a=b',
  ]) {
    forged.setCookie(SESSION_COOKIE, encodeURIComponent(value));
    expect(await isIn(forged)).toBe(false);
  }
});

test('a page that was still loading does not undo a sign-out', async () => {
  const bucket = await lab.bus.bucket('sessions');
  const alice = await lab.signedIn();
  const id = idOf(alice);
  const loading = await findSession(bucket, id);
  if (!loading) throw new Error('no session');
  await alice.post('/logout', (await alice.get('/')).form(/logout/).fields);
  const saved = await new Promise((resolve) => sessionStore(bucket).set(id, loading, resolve));
  expect(saved).toBeFalsy();
  expect(await findSession(bucket, id)).toBeNull();
  expect(await isIn(alice)).toBe(false);
});

test('of two pages that save at once none fails', async () => {
  const alice = await lab.signedIn();
  expect(await Promise.all(Array.from({ length: 10 }, () => isIn(alice)))).toEqual(Array(10).fill(true));
});

test('who reads the bucket learns no session id', async () => {
  const bucket = await lab.bus.bucket('sessions');
  const alice = await lab.signedIn();
  await alice.get('/');
  const keys: string[] = [];
  for await (const key of await bucket.keys()) keys.push(key, (await bucket.get(key))?.string() ?? '');
  expect(keys.length).toBeGreaterThan(1);
  expect(keys.join()).not.toContain(idOf(alice));
});

test('a kept session of a shape that nobody knows any more means signing in again', async () => {
  const bucket = await lab.bus.bucket('sessions');
  const alice = await lab.signedIn();
  await bucket.put(
    sha256(idOf(alice)),
    JSON.stringify({
      cookie: { originalMaxAge: 1, expires: new Date(Date.now() + MINUTE) },
      signedIn: { who: 'alice' },
    }),
  );
  expect(await isIn(alice)).toBe(false);
});

test('without the broker a page says so, honestly, and comes back with it', async () => {
  const incident = await lab.asked();
  const alice = await lab.signedIn();
  const { action, fields } = (await alice.get(`/approvals/${incident.id}`)).form(/review/);
  await lab.broker.kill();
  const form = { ...fields, choice: 'leave', reason: 'the test says so' };
  const pages = await Promise.all([alice.get('/'), alice.post(action.replace('review', 'decide'), form)]);
  await lab.broker.restart();
  for (const page of pages) {
    expect(page.status).toBe(500);
    expect(page.text).toContain('Cordon cannot answer right now');
    expect(page.text).not.toMatch(/nats|timeout|Error/i);
  }
  expect(pages[1].text).toContain('Whether your answer was taken is not known');
  await expect.poll(async () => (await alice.get(`/approvals/${incident.id}`)).status).toBe(200);
});
