import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { peopleFirst } from './people-first.ts';

const happened = (at: number) => ({ time: new Date(at).toISOString() });

test('what has just happened is left to others for a moment', async () => {
  const at = Date.now();
  await peopleFirst(happened(at));
  expect(Date.now() - at).toBeGreaterThanOrEqual(24); // a timer may be early by a fraction of a millisecond
});

test('a clock that goes ahead is not waited for', async () => {
  const told = peopleFirst(happened(Date.now() + 3_600_000)).then(() => 'done');
  expect(await Promise.race([told, delay(2000, 'waited')])).toBe('done');
});

/** Has much to do in every turn of the event loop, until told to stop. Resolves with the turns it took. */
async function work(signal: AbortSignal): Promise<number> {
  let turns = 0;
  for (; !signal.aborted; turns++) {
    for (const until = performance.now() + 5; performance.now() < until;);
    await nextTurn();
  }
  return turns;
}

test('whoever has work in hand goes first, but not for ever', async () => {
  const first = new AbortController();
  void work(first.signal);
  const at = Date.now() - 100;
  const told = peopleFirst(happened(at)).then(() => 'done');
  expect(await Promise.race([told, delay(100, 'waiting')])).toBe('waiting');
  await told;
  first.abort();
  expect(Date.now() - at).toBeGreaterThanOrEqual(500);
});

test('once the others are through, it goes on', async () => {
  const first = new AbortController();
  const others = work(first.signal);
  const at = Date.now() - 100;
  const told = peopleFirst(happened(at)).then(() => Date.now());
  await delay(50);
  first.abort();
  await others;
  expect((await told) - at).toBeLessThan(500);
});
