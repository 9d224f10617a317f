import type { KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Bus, type Deadline, type Handler, PermanentError, RetryLaterError } from '@cordon/bus';
import { forgeryOf, hasToBeSigned, type StoredEvent, type Terms } from '@cordon/contracts';
import { ask, type Asking, type Incident, nextDeadline, onTime } from '@cordon/incident';
import { peopleFirst } from '@cordon/service';

/** A detection opens an incident or joins one; a new incident is asked about, once, and so is one that a guard holds. */
export function askOnNews(
  bus: Pick<Bus, 'log'>,
  asking: (incident: Incident, at: Date) => Asking,
): Handler<StoredEvent> {
  return async (event, { log }) => {
    const now = new Date();
    const result = await bus.log.transact(
      event,
      (state) => ask(state, (incident) => asking(incident, now), now),
      event.seq,
    );
    if ('events' in result && result.events[0]) {
      log.info({ endpointId: event.endpointId, incidentId: result.view.state.incident?.id }, 'team asked');
    }
  };
}

/** So long a question has to reach people through every channel; leaves as long again to tell them another way. */
const DELIVERY_MS = 15_000;

/** Whatever is next to be done about an incident by itself gets its timer, a moment after it is known. */
export function armOnNews(bus: Pick<Bus, 'log' | 'arm'>): Handler<StoredEvent> {
  return async (event) => {
    if (!('incidentId' in event.data)) return;
    await peopleFirst(event);
    const { incident } = (await bus.log.load(event, event.seq)).state;
    if (incident?.id !== event.data.incidentId) return;
    const at = nextDeadline(incident);
    const deadline = { tenantId: incident.tenantId, endpointId: incident.endpointId, incidentId: incident.id };
    const isAsked = event.type === 'approval.requested' && incident.status === 'asked';
    await Promise.all([
      at && bus.arm('approval', deadline, at),
      isAsked && bus.arm('delivery', deadline, new Date(Date.parse(event.time) + DELIVERY_MS)),
    ]);
  };
}

/** Does its part, and then reports a question or a vote that approval did not sign: operators hear of a dead letter. */
export function reportForgeries(handler: Handler<StoredEvent>, keys: readonly KeyObject[]): Handler<StoredEvent> {
  return async (event, context) => {
    await handler(event, context);
    const forgery = hasToBeSigned(event) ? forgeryOf(event, keys) : undefined;
    if (forgery !== undefined) throw new PermanentError(forgery);
  };
}

/** A timer for what is due later than this is armed by itself, and not waited for here. */
const WAITED_FOR_MS = 60_000;

/** When the time has come: reminds, escalates, ends an unanswered question (the machine stays as it is), or releases. */
export function actOnDeadline(bus: Pick<Bus, 'log'>, fallback: () => Terms): Handler<Deadline> {
  return async (deadline, { log }) => {
    const { incidentId } = deadline;
    const now = new Date();
    const result = await bus.log.transact(deadline, (state) => onTime(state, incidentId, fallback(), now));
    if ('refused' in result) return;
    if (result.events[0]) {
      log.info({ incidentId, events: result.events.map(({ type }) => type) }, 'its time had come');
      return;
    }
    const { incident } = result.view.state;
    const next = incident?.id === incidentId ? nextDeadline(incident) : undefined;
    const waitMs = next ? next.getTime() - now.getTime() : Infinity;
    if (waitMs <= WAITED_FOR_MS) throw new RetryLaterError(Math.max(50, waitMs), 'the clocks differ: not due yet');
  };
}

/** How long the snapshot of a machine waits for more of its events. */
const MORE_COMES_MS = 90;
/** What the list of incidents shows waits less: that nobody sees, and what a decision causes first finds the processor free. */
const SHOWN_WITHIN_MS = 25;
/** How a question begins, which takes several events. */
const CAN_WAIT = new Set<StoredEvent['type']>([
  'detection.raised',
  'approval.requested',
  'notification.sent',
  'notification.failed',
]);

/**
 * Keeps the folded state, so that nothing gets slower as the log grows and every incident can be found by its id. The
 * events of one machine that come close together are kept together, and acknowledged then.
 */
export function keepSnapshots(bus: Bus): Handler<StoredEvent> {
  const due = new Map<string, { reach: number; hurry: () => void; kept: Promise<void> }>();

  function begin(event: StoredEvent, machine: string) {
    const { promise: hurried, resolve } = Promise.withResolvers<void>();
    const hurry = (): void => void setTimeout(resolve, SHOWN_WITHIN_MS);
    const turn = { reach: event.seq, hurry, kept: keepSoon() };
    due.set(machine, turn);
    return turn;

    async function keepSoon(): Promise<void> {
      await Promise.race([delay(MORE_COMES_MS), hurried]);
      due.delete(machine);
      await bus.log.keep(await bus.log.load(event, turn.reach));
    }
  }

  return (event) => {
    const machine = `${event.tenantId}/${event.endpointId}`;
    const turn = due.get(machine) ?? begin(event, machine);
    turn.reach = Math.max(turn.reach, event.seq);
    if (!CAN_WAIT.has(event.type)) turn.hurry();
    return turn.kept;
  };
}
