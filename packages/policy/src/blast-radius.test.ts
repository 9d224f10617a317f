import { expect, test } from 'vitest';
import { tripOf } from './blast-radius.ts';

const HOUR = 3_600_000;
const limits = { isolations: 3, within: HOUR, fleet_percent: 10, override_quorum: 2 };
const now = 10 * HOUR;
const at = (...minutesAgo: number[]) =>
  minutesAgo.map((minutes, index) => ({ endpointId: `m${index}`, at: now - minutes * 60_000 }));
const trip = (places: ReturnType<typeof at>, fleet?: number, endpointId = 'another') =>
  tripOf(limits, places, { endpointId, fleet, now });

test('so many are allowed, one more is not', () => {
  expect(trip(at(1, 59))).toBeUndefined();
  expect(trip(at(1, 30, 59))).toBe('3 other machines were isolated within 1h, and the policy allows 3.');
});

test('what lies longer back does not count, nor does the machine itself, nor one twice', () => {
  expect(trip(at(1, 30, 60))).toBeUndefined();
  expect(trip(at(1, 30, 59), undefined, 'm1')).toBeUndefined();
  expect(trip([...at(1, 30), ...at(2, 31)])).toBeUndefined();
});

test('a share of the fleet is rounded up, and one machine is always allowed', () => {
  expect(trip(at(1), 11)).toBeUndefined();
  expect(trip(at(1), 10)).toBe(
    '1 other machine was isolated within 1h, and the policy allows 10 % of 10 machines, which is 1.',
  );
  expect(trip(at(), 1)).toBeUndefined();
});
