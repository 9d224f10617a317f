import { JetStreamApiError } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { isBrokerFault, isConflict, isWorthRepeating } from './errors.ts';

const answer = (code: number, err_code: number, description: string) =>
  new JetStreamApiError({ code, err_code, description });

test.each([
  [503, 10008, 'jetstream system temporarily unavailable'],
  [409, 10158, 'duplicate message id is in process'],
  [429, 10167, 'too many requests'],
])("%i %i (%s) is the broker's fault and worth repeating", (code, error, description) => {
  expect(isBrokerFault(answer(code, error, description))).toBe(true);
  expect(isWorthRepeating(answer(code, error, description))).toBe(true);
});

test('a rival is a conflict, and a full stream no outage that repeating ends', () => {
  expect(isConflict(answer(400, 10071, 'wrong last sequence'))).toBe(true);
  expect(isBrokerFault(answer(400, 10071, 'wrong last sequence'))).toBe(false);
  expect(isWorthRepeating(answer(503, 10077, 'maximum messages exceeded'))).toBe(false);
});
