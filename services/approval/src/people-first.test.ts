import { setTimeout as delay } from 'node:timers/promises';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { expect, test } from 'vitest';
import { peopleFirst } from './people-first.ts';

const event = { ...aDetectionRaised(aDetection()), seq: 1 };
const happened = (at: number) => ({ ...event, time: new Date(at).toISOString() });

test('what has just happened is left to others for a moment', async () => {
  const at = Date.now();
  await peopleFirst(happened(at));
  expect(Date.now() - at).toBeGreaterThanOrEqual(9); // a timer may be early by a fraction of a millisecond
});

test('a clock that goes ahead is not waited for', async () => {
  const told = peopleFirst(happened(Date.now() + 3_600_000)).then(() => 'done');
  expect(await Promise.race([told, delay(2000, 'waited')])).toBe('done');
});
