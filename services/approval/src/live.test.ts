import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Person } from '../../../test/e2e/person.ts';
import { type Lab, startLab } from './page-lab.ts';
import { SESSION_COOKIE } from './session-store.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab[Symbol.asyncDispose]());
afterEach(() => void vi.useRealTimers());

type Stream = { response: Response; heard(): string; ended: Promise<void>; leave(): void };

async function listen(person: Person, path: string): Promise<Stream> {
  const left = new AbortController();
  const headers = { cookie: `${SESSION_COOKIE}=${person.cookie(SESSION_COOKIE)}` };
  const response = await fetch(`${lab.url}${path}`, { headers, signal: left.signal, redirect: 'manual' });
  let heard = '';
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) heard += Buffer.from(chunk).toString();
  };
  const ended = read().catch(() => undefined);
  return { response, heard: () => heard, ended, leave: () => left.abort() };
}
const changes = (stream: Stream): number => stream.heard().split('event: changed').length - 1;

test('says "look again" at the start and at each change of its incident, and nothing else', async () => {
  const [incident, other] = [await lab.asked(), await lab.asked()];
  const shown = () => lab.board.cards().open.map(({ id }) => id);
  await expect.poll(shown).toEqual(expect.arrayContaining([incident.id, other.id]));
  const alice = await lab.signedIn();
  const [one, all] = [await listen(alice, `/approvals/${incident.id}/events`), await listen(alice, '/events')];
  expect(one.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(one.response.headers.get('cache-control')).toBe('no-store');
  expect(one.response.headers.get('x-content-type-options')).toBe('nosniff');
  await expect.poll(() => [changes(one) > 0, changes(all) > 0]).toEqual([true, true]);
  const [before, allBefore] = [changes(one), changes(all)];
  lab.board.update(other);
  lab.board.update(incident);
  await expect.poll(() => [changes(one), changes(all)]).toEqual([before + 1, allBefore + 2]);
  expect(one.heard()).not.toContain(incident.hostname);
  one.leave();
  all.leave();
});

test('is for nobody without a session', async () => {
  for (const path of ['/events', `/approvals/${(await lab.asked()).id}/events`]) {
    expect((await lab.app.inject({ url: path })).statusCode).toBe(401);
  }
});

test('ends when its session does: by sign-out, by idleness', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const [alice, bob, carol] = [await lab.signedIn(), await lab.signedIn(), await lab.signedIn()];
  const [left, idle, active] = [
    await listen(alice, '/events'),
    await listen(bob, '/events'),
    await listen(carol, '/events'),
  ];
  await alice.post('/logout', (await alice.get('/')).form(/logout/).fields);
  await lab.change(bob, { idleMs: -1 });
  vi.advanceTimersByTime(20_000);
  await Promise.all([left.ended, idle.ended]);
  for (const stream of [left, idle]) expect(stream.heard()).toMatch(/event: ended\ndata: {}\n\n$/);
  await expect.poll(() => active.heard()).toContain(': ping');
  expect(active.heard()).not.toContain('ended');
  lab.board.update(await lab.asked()); // and nobody writes to what has ended
  active.leave();
});

test('ten streams per session, and leaving makes room', async () => {
  const alice = await lab.signedIn();
  const streams: Stream[] = [];
  for (let index = 0; index < 10; index++) streams.push(await listen(alice, '/events'));
  expect((await listen(alice, '/events')).response.status).toBe(429);
  expect((await listen(await lab.signedIn(), '/events')).response.status).toBe(200);
  streams[0]?.leave();
  await expect.poll(async () => (await listen(alice, '/events')).response.status).toBe(200);
  for (const stream of streams) stream.leave();
});

test('closes with the service, which does not wait for it', async () => {
  const stream = await listen(await lab.signedIn(), '/events');
  await lab.app.close();
  await stream.ended;
  expect(stream.heard()).toContain('retry: 2000');
});
