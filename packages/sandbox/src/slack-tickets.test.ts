import { expect, test } from 'vitest';
import { createTickets } from './slack-tickets.ts';

test('a ticket works for its time and its uses, and no other works', () => {
  const tickets = createTickets<string>({ lifeMs: 3_000, uses: 2 });
  const ticket = tickets.issue('alice', 1_000);
  const late = tickets.issue('bob', 1_000);
  expect(tickets.redeem('made up', 1_000)).toEqual({ refused: 'unknown' });
  expect(tickets.redeem(ticket, 4_000)).toEqual({ value: 'alice' });
  expect(tickets.redeem(ticket, 4_000)).toEqual({ value: 'alice' });
  expect(tickets.redeem(ticket, 4_000)).toEqual({ refused: 'used' });
  expect(tickets.redeem(late, 4_001)).toEqual({ refused: 'expired' });
});
