import { randomBytes } from 'node:crypto';

/** Why a ticket is not taken. */
export type Refused = 'unknown' | 'expired' | 'used';

/** Names that work for a time and a number of uses, as Slack's trigger ids and response addresses do. */
export function createTickets<T>({ lifeMs, uses }: { lifeMs: number; uses: number }) {
  const issued = new Map<string, { value: T; until: number; left: number }>();
  return {
    issue(value: T, now = Date.now()): string {
      for (const [old, { until }] of issued) if (until + lifeMs < now) issued.delete(old);
      const ticket = randomBytes(16).toString('hex');
      issued.set(ticket, { value, until: now + lifeMs, left: uses });
      return ticket;
    },
    redeem(ticket: string, now = Date.now()): { value: T } | { refused: Refused } {
      const found = issued.get(ticket);
      if (!found) return { refused: 'unknown' };
      if (now > found.until) return { refused: 'expired' };
      if (found.left === 0) return { refused: 'used' };
      found.left--;
      return { value: found.value };
    },
  };
}
