import { type Bus, type Handler, RetryLaterError } from '@cordon/bus';
import { type CordonEvent, eventId, type StoredEvent } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import { EdrDenied, EdrRateLimited, EdrRejected, EdrUnavailable } from '@cordon/limacharlie';
import { type Edr, retryLater } from './edr.ts';
import { SOURCE } from './execute.ts';
import { type Turn, type Way, WAYS } from './ways.ts';

export type Pace = { confirmPollMs: number; offlinePollMs: number; confirmTimeoutMs: number };

const GIVE_UP_MS = 7 * 86_400_000;
const UNREADABLE_POLL_MS = 60_000;
const SLOW_AFTER_MS = 10 * 60_000;
const SLOW_FACTOR = 3;

/** What one look at the sensor gave: something to tell, and when to look again (never, where it is over). */
type Look = { turn?: Turn; code?: string; explanation?: string; againMs?: number };

/**
 * Follows the sensor's own state until it confirms. The waiting is the broker's: each look that is not the last ends in
 * `RetryLaterError`, so a killed process loses nothing and an offline machine is waited for as long as it takes.
 */
export function watchUntilConfirmed(
  log: Pick<Bus['log'], 'load' | 'append'>,
  edr: Edr,
  pace: Pace,
): Handler<StoredEvent> {
  /** Since when a sensor was seen online: the clock of a machine that returns starts then. */
  const onlineSince = new Map<string, number>();

  return async (event, context) => {
    if (event.type !== 'isolation.requested' && event.type !== 'release.accepted') return;
    const way = WAYS[event.type];
    const { incidentId } = event.data;
    const { incident } = (await log.load(event, event.seq)).state;
    if (incident?.id !== incidentId || !way.waiting.includes(incident.status)) {
      onlineSince.delete(incidentId);
      return; // confirmed, failed, or crossed by the opposite wish
    }

    const now = Date.now();
    const look = await lookAt(edr, way, incident, { now, since: Date.parse(event.time), pace, onlineSince });
    if (look.turn && way.statusOf[look.turn] !== incident.status) {
      const about = {
        id: eventId(`${way.noun}.${look.turn}`, event.id, incident.status),
        source: SOURCE,
        at: new Date(now),
        endpoint: event,
      };
      const told: CordonEvent = way.tell(look.turn, about, {
        incidentId,
        code: look.code ?? '',
        explanation: look.explanation ?? '',
      });
      await log.append(told);
      context.log.info({ endpointId: event.endpointId, incidentId, outcome: told.type }, 'sensor state');
    }
    if (look.againMs !== undefined) throw new RetryLaterError(look.againMs, `waiting for the ${way.noun}`);
    onlineSince.delete(incidentId);
  };
}

type Clock = { now: number; since: number; pace: Pace; onlineSince: Map<string, number> };

async function lookAt(edr: Edr, way: Way, incident: Incident, clock: Clock): Promise<Look> {
  const { now, since, pace } = clock;
  const { hostname, endpointId } = incident;
  try {
    const { isIsolated, shouldIsolate } = await edr.isolationOf(endpointId);
    if (isIsolated === way.wished && shouldIsolate === way.wished) return { turn: 'confirmed' };
    if (shouldIsolate !== way.wished) {
      return {
        turn: 'failed',
        code: 'withdrawn',
        explanation: `Somebody reversed the ${way.noun} of ${hostname} in LimaCharlie before the sensor confirmed it.`,
      };
    }
    if (now - since > GIVE_UP_MS) {
      return {
        turn: 'failed',
        code: 'timed_out',
        explanation: `The sensor on ${hostname} did not confirm the ${way.noun} within 7 days. LimaCharlie still holds the wish and applies it when the sensor returns.`,
      };
    }
    if (!(await edr.isOnline(endpointId))) {
      clock.onlineSince.delete(incident.id);
      const againMs = pace.offlinePollMs * (now - since > SLOW_AFTER_MS ? SLOW_FACTOR : 1);
      return {
        turn: 'pending',
        code: 'offline',
        explanation: `${hostname} is offline. LimaCharlie holds the wish: it ${way.offline}.`,
        againMs,
      };
    }
    return confirming(way, incident, clock);
  } catch (error) {
    return unreadable(error, way, incident, now - since);
  }
}

/** Online, and the sensor has not followed yet. */
function confirming(way: Way, incident: Incident, { now, pace, onlineSince }: Clock): Look {
  const start = onlineSince.get(incident.id) ?? now;
  onlineSince.set(incident.id, start);
  if (now - start < pace.confirmTimeoutMs) return { againMs: pace.confirmPollMs };
  const seconds = Math.round(pace.confirmTimeoutMs / 1000);
  return {
    turn: 'unconfirmed',
    code: 'timed_out',
    explanation: `The sensor on ${incident.hostname} is online but did not confirm the ${way.noun} within ${seconds} seconds. ${way.still}. Cordon keeps watching.`,
    againMs: pace.offlinePollMs,
  };
}

/** The state could not be read: nothing is claimed, and it is looked at again. */
function unreadable(error: unknown, way: Way, incident: Incident, ageMs: number): Look {
  if (error instanceof EdrUnavailable || error instanceof EdrRateLimited) throw retryLater(error, ageMs);
  if (error instanceof EdrRejected && error.status === 404) {
    return {
      turn: 'failed',
      code: 'unknown_sensor',
      explanation: `LimaCharlie no longer knows a sensor for ${incident.hostname}: whether it is isolated cannot be told.`,
    };
  }
  if (error instanceof EdrDenied || error instanceof EdrRejected) {
    return {
      turn: 'unconfirmed',
      code: 'unreadable',
      explanation: `LimaCharlie took the request, but its state cannot be read: ${error.message}. ${way.still}.`,
      againMs: UNREADABLE_POLL_MS,
    };
  }
  throw error;
}
