import { type EndpointLog, type Handler, PermanentError, RetryLaterError } from '@cordon/bus';
import type { CordonEvent, StoredEvent } from '@cordon/contracts';
import { createLogger } from '@cordon/service';
import { wordsOf } from '../event-words.ts';

/** What a handler would have sent, called or appended. */
export type Act = { to: 'Slack' | 'mail' | 'LimaCharlie' | 'log' | 'timer'; what: string };
/** One event, re-handled with side effects off: what would be done, and how it would end. */
export type Rehearsed = { seq: number; type: string; endpointId: string; would: Act[]; ends: string };

const TURNS_MAX = 50;

/** Runs a handler as its service would, turn after turn, until it is through or would only wait. */
export async function rehearse(handler: Handler<StoredEvent>, event: StoredEvent, acts: Act[]): Promise<Rehearsed> {
  acts.length = 0;
  const log = createLogger('cordon', 'silent');
  const about = { seq: event.seq, type: event.type, endpointId: event.endpointId };
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const before = acts.length;
    try {
      await handler(event, { log, redelivered: turn > 0 });
      return { ...about, would: [...acts], ends: acts.length === 0 ? 'nothing to do' : 'done' };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof PermanentError) return { ...about, would: [...acts], ends: `dead letter: ${reason}` };
      if (!(error instanceof RetryLaterError)) return { ...about, would: [...acts], ends: `fails: ${reason}` };
      if (acts.length === before) return { ...about, would: [...acts], ends: `waits: ${reason}` };
    }
  }
  return { ...about, would: [...acts], ends: 'goes on' };
}

/** A log that is read as it is, and whose appends are only noted. */
export function readOnly(log: EndpointLog, acts: Act[]): EndpointLog {
  const note = (event: CordonEvent): void => {
    const { what, note } = wordsOf({ ...event, seq: 0 });
    acts.push({ to: 'log', what: [`append ${event.type}`, what, note].filter(Boolean).join(': ') });
  };
  return {
    ...log,
    async append(event) {
      note(event);
      return { seq: 0, duplicate: false };
    },
    async transact(endpoint, decide, atLeast) {
      const view = await log.load(endpoint, atLeast);
      const decision = decide(view.state);
      if ('refused' in decision) return decision;
      for (const event of decision.events) note(event);
      return { events: decision.events, view };
    },
    async keep() {},
  };
}
