import { CONSUMERS, type ConsumerSpec, type Handler, type Operator } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import type { Act } from './acts.ts';
import { rehearseArm, rehearseAsk } from './approval.ts';
import { rehearseExecute, rehearseWatch } from './executor.ts';
import { rehearseMail, rehearseSlack } from './notifier.ts';

type Rehearsal = (
  operator: Operator,
  env: Record<string, string | undefined>,
  acts: Act[],
) => Promise<Handler<StoredEvent>>;

/*
 * Cordon's command stands on top of the services: nothing imports it, and it runs their own handlers. A second version of
 * them, here, would sooner or later rehearse something else than what they do.
 */
const REHEARSALS = new Map<string, { spec: ConsumerSpec; rehearsal: Rehearsal }>(
  [
    { spec: CONSUMERS.ask, rehearsal: rehearseAsk },
    { spec: CONSUMERS.arm, rehearsal: rehearseArm },
    { spec: CONSUMERS.execute, rehearsal: rehearseExecute },
    { spec: CONSUMERS.watch, rehearsal: rehearseWatch },
    { spec: CONSUMERS.slack, rehearsal: rehearseSlack },
    { spec: CONSUMERS.email, rehearsal: rehearseMail },
  ].map((entry) => [entry.spec.name, entry]),
);

/** The consumers that can be replayed. */
export const REHEARSED: readonly string[] = [...REHEARSALS.keys()];

/** How a consumer is rehearsed, or nothing where it is none of these. */
export function rehearsalFor(consumer: string): { spec: ConsumerSpec; rehearsal: Rehearsal } | undefined {
  return REHEARSALS.get(consumer);
}
