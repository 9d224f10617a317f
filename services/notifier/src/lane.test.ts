import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBackoff } from './backoff.ts';
import { createLane } from './lane.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('lets a burst through, then one per second', async () => {
  const lane = createLane({ burst: 4, perSecond: 1 });
  const done: number[] = [];
  const start = Date.now();
  for (let n = 0; n < 6; n++) void lane.take('first').then(() => done.push(Date.now() - start));
  await vi.advanceTimersByTimeAsync(5000);
  expect(done.map((ms) => Math.round(ms / 1000))).toEqual([0, 0, 0, 0, 1, 2]);
});

test('a first message overtakes those that can wait', async () => {
  const lane = createLane({ burst: 1, perSecond: 1 });
  const done: string[] = [];
  for (const name of ['a', 'b', 'c']) void lane.take('later').then(() => done.push(name));
  void lane.take('first').then(() => done.push('first'));
  await vi.advanceTimersByTimeAsync(5000);
  expect(done).toEqual(['a', 'first', 'b', 'c']);
});

test('sends back who would only hold a place', async () => {
  const lane = createLane({ burst: 1, perSecond: 1 });
  const taken = Array.from({ length: 5 }, () => lane.take('later'));
  await expect(lane.take('later')).rejects.toMatchObject({ name: 'RetryLaterError' });
  await vi.advanceTimersByTimeAsync(10_000);
  await expect(Promise.all(taken)).resolves.toHaveLength(5);
});

test('those that are sent back come one after the other, however many they are', async () => {
  const lane = createLane({ burst: 1, perSecond: 1 });
  for (let n = 0; n < 5; n++) void lane.take('later');
  const delayOf = async (): Promise<number> =>
    lane.take('later').then(
      () => 0,
      (error: { delayMs: number }) => error.delayMs,
    );
  const delays: number[] = [];
  for (let n = 0; n < 60; n++) delays.push(await delayOf());
  const inTurn = delays.slice(0, 20);
  expect(inTurn[0]).toBeGreaterThanOrEqual(5000); // after those that wait
  for (const [n, delayMs] of inTurn.entries())
    expect(Math.abs(delayMs - (5 + n) * 1000)).toBeLessThanOrEqual(delayMs / 10);
  for (const delayMs of delays.slice(30)) expect(delayMs).toBeGreaterThanOrEqual(30_000);
  expect(Math.max(...delays)).toBeLessThanOrEqual(66_000);
});

test('a pause sends everybody back, those who wait already included', async () => {
  const lane = createLane({ burst: 1, perSecond: 1 });
  await lane.take('first');
  const waiting = lane.take('first').catch((error: unknown) => error);
  expect(lane.failed(7000)).toBe(7000);
  expect(await waiting).toMatchObject({ name: 'RetryLaterError' });
  await expect(lane.take('first')).rejects.toMatchObject({ name: 'RetryLaterError' });
  await vi.advanceTimersByTimeAsync(7000);
  await expect(lane.take('first')).resolves.toBeUndefined();
});

test('a channel that keeps failing is left alone for longer, up to the limit', async () => {
  const backoff = createBackoff({ firstMs: 1000, maxMs: 8000 });
  const delays: number[] = [];
  for (let n = 0; n < 6; n++) {
    delays.push(backoff.failed());
    expect(backoff.failed()).toBe(delays.at(-1)); // a call that was under way as well
    await vi.advanceTimersByTimeAsync(delays.at(-1) ?? 0);
  }
  expect(delays).toEqual([1000, 2000, 4000, 8000, 8000, 8000]);
  backoff.succeeded();
  expect(backoff.failed()).toBe(1000);
});
