import { expect, test } from 'vitest';
import { oneAtATime } from './one-at-a-time.ts';

test('one works, one waits, and a third comes back later; other keys do not notice', async () => {
  const run = oneAtATime();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = run('a', async () => {
    await gate.promise;
    order.push('first');
  });
  const second = run('a', async () => void order.push('second'));
  await expect(run('a', async () => {})).rejects.toMatchObject({ name: 'RetryLaterError' });
  await run('b', async () => void order.push('other'));
  gate.resolve();
  await Promise.all([first, second]);
  expect(order).toEqual(['other', 'first', 'second']);
});

test('a failure leaves the key free', async () => {
  const run = oneAtATime();
  await expect(run('a', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  await expect(run('a', async () => {})).resolves.toBeUndefined();
});
