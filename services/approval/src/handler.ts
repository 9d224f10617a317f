import { type Bus, type Deadline, type Handler, RetryLaterError } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { ask, expire, type Policy } from '@cordon/incident';

/** A detection opens an incident or joins one; a new incident is asked about, once. */
export function askOnDetection(bus: Bus, policy: Policy): Handler<StoredEvent> {
  return async (event, { log }) => {
    const result = await bus.log.transact(event, (state) => ask(state, policy, new Date()), event.seq);
    if ('events' in result && result.events[0]) {
      log.info({ endpointId: event.endpointId, incidentId: result.view.state.incident?.id }, 'team asked');
    }
  };
}

/** A question gets its deadline as soon as it is asked. */
export function armOnRequest(bus: Bus): Handler<StoredEvent> {
  return async (event) => {
    if (event.type !== 'approval.requested') return;
    const { incidentId, expiresAt } = event.data;
    await bus.arm({ tenantId: event.tenantId, endpointId: event.endpointId, incidentId }, new Date(expiresAt));
  };
}

/** When the deadline comes, an unanswered question ends. The machine stays as it is. */
export function expireOnDeadline(bus: Bus, policy: Policy): Handler<Deadline> {
  return async (deadline, { log }) => {
    const now = new Date();
    const result = await bus.log.transact(deadline, (state) => expire(state, deadline.incidentId, policy, now));
    if ('refused' in result) return;
    if (result.events[0]) {
      log.info({ incidentId: deadline.incidentId }, 'question expired');
      return;
    }
    const { incident } = result.view.state;
    const due =
      incident?.id === deadline.incidentId && incident.status === 'asked' ? incident.question?.expiresAt : undefined;
    if (due) throw new RetryLaterError(Math.max(50, Date.parse(due) - now.getTime()), 'the clocks differ: not due yet');
  };
}

/** Keeps the folded state, so that nothing gets slower as the log grows and every incident can be found by its id. */
export function keepSnapshots(bus: Bus): Handler<StoredEvent> {
  return async (event) => {
    await bus.log.keep(await bus.log.load(event, event.seq));
  };
}
