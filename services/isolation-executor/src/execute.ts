import { type Bus, type Handler, PermanentError } from '@cordon/bus';
import {
  type CordonEvent,
  eventId,
  IsolationFailed,
  IsolationHeld,
  IsolationRefused,
  IsolationRequested,
  IsolationSimulated,
  ReleaseAccepted,
  ReleaseFailed,
  ReleaseSimulated,
  type StoredEvent,
} from '@cordon/contracts';
import { type Incident, machineOf } from '@cordon/incident';
import { type Authority, intrusionOf, objectionToIsolation, objectionToRelease } from './authorize.ts';
import type { BlastRadius } from './blast-radius.ts';
import { type Edr, failureOf } from './edr.ts';
import { judge, type Limits } from './judge.ts';

export const SOURCE = '/cordon/isolation-executor';
type Log = Pick<Bus['log'], 'load' | 'append'>;

/** What has to say yes before an EDR is told anything. */
export type Guards = { authority: () => Authority; blastRadius: BlastRadius; limits: Limits };

/** Carries out what people decided: asks the EDR, and appends what it said. Safe to run again at any point. */
export function executeOnDecision(log: Log, edr: Edr, guards: Guards): Handler<StoredEvent> {
  return async (event, context) => {
    if (event.type !== 'approval.decided' && event.type !== 'release.requested') return;
    const { incident } = (await log.load(event, event.seq)).state;
    const outcome =
      event.type === 'approval.decided'
        ? await isolate(event, incident, edr, guards)
        : await release(event, incident, edr, guards);
    if (!outcome) {
      const intrusion = intrusionOf(event, incident, guards.authority());
      // No event about it: that would change an incident which this has no part in. Operators hear of a dead letter.
      if (intrusion !== undefined) throw new PermanentError(intrusion);
      return;
    }
    await log.append(outcome);
    const { endpointId, data } = event;
    const code = 'code' in outcome.data ? outcome.data.code : undefined;
    const bound = { endpointId, incidentId: data.incidentId, outcome: outcome.type, code };
    if (code === 'not_authentic' || code === 'used_before') context.log.error(bound, 'forged decision refused');
    else context.log.info(bound, 'decision judged');
  };
}

async function isolate(
  event: StoredEvent & { type: 'approval.decided' },
  incident: Incident | undefined,
  edr: Edr,
  { authority, blastRadius, limits }: Guards,
): Promise<CordonEvent | undefined> {
  // Not the standing decision of this endpoint, or carried out already.
  if (incident?.decision?.eventId !== event.id || incident.status !== 'approved') return undefined;
  const { hostname, id: incidentId } = incident;
  const ageMs = Date.now() - Date.parse(event.time);
  const refused = (why: { code: string; explanation: string }): CordonEvent =>
    IsolationRefused.create(about(event, 'isolation.refused', { incidentId, ...explained(why) }));

  try {
    const objection = objectionToIsolation(event, incident, authority(), new Date());
    if (objection?.code === 'not_authentic') return refused(objection);
    const verdict = judge(await edr.findSensor(event.endpointId), machineOf(incident), limits);
    // What was asked of the EDR already is reported, however old the decision has become meanwhile.
    if (objection && verdict.do !== 'report') return refused(objection);
    switch (verdict.do) {
      case 'fail':
        return IsolationFailed.create(about(event, 'isolation.failed', { incidentId, ...explained(verdict) }));
      case 'refuse':
        return refused(verdict);
      case 'simulate':
        return IsolationSimulated.create(about(event, 'isolation.simulated', { incidentId, ...explained(verdict) }));
      case 'isolate': {
        const by = { decision: event.id, seq: event.seq, override: event.data.override === 'blast_radius' };
        const reservation = await blastRadius.reserve(event, by);
        if (reservation === 'used_before') {
          return refused({ code: 'used_before', explanation: 'This decision was carried out before and came again.' });
        }
        if (reservation !== 'taken') {
          const explanation = `${hostname} is still connected: ${reservation.tripped}`;
          return IsolationHeld.create(
            about(event, 'isolation.held', { incidentId, code: 'blast_radius', explanation }),
          );
        }
        await edr.isolate(event.endpointId);
        break;
      }
      case 'report':
        break;
    }
    // Not "isolated": only the sensor says that.
    return IsolationRequested.create(
      about(event, 'isolation.requested', { incidentId, alreadyWanted: verdict.do === 'report' }),
    );
  } catch (error) {
    const failure = failureOf(error, hostname, ageMs, validMs(event, authority().maxAgeMs));
    return IsolationFailed.create(about(event, 'isolation.failed', { incidentId, ...failure }));
  }
}

async function release(
  event: StoredEvent & { type: 'release.requested' },
  incident: Incident | undefined,
  edr: Edr,
  { authority, limits }: Guards,
): Promise<CordonEvent | undefined> {
  if (incident?.release?.eventId !== event.id || incident.status !== 'releasing') return undefined;
  if (incident.history.some((moment) => moment.type === 'release.accepted' && moment.seq > event.seq)) return undefined;
  const { hostname, id: incidentId } = incident;
  const ageMs = Date.now() - Date.parse(event.time);
  const failed = (code: string, explanation: string): CordonEvent =>
    ReleaseFailed.create(about(event, 'release.failed', { incidentId, code, explanation }));

  try {
    const objection = objectionToRelease(event, incident, authority(), new Date());
    if (objection) return failed(objection.code, `${objection.explanation} ${hostname} was not released.`);
    const sensor = await edr.findSensor(event.endpointId);
    if (!sensor)
      return failed('unknown_sensor', `LimaCharlie knows no sensor for ${hostname} any more. Nothing was released.`);
    if (limits.dryRun) {
      const explanation = 'Dry run: LimaCharlie was not called, nothing was released.';
      return ReleaseSimulated.create(about(event, 'release.simulated', { incidentId, code: 'dry_run', explanation }));
    }
    if (sensor.shouldIsolate || sensor.isolated) await edr.rejoin(event.endpointId);
    return ReleaseAccepted.create(about(event, 'release.accepted', { incidentId }));
  } catch (error) {
    const { code, explanation } = failureOf(error, hostname, ageMs, validMs(event, authority().maxAgeMs));
    return failed(code, `${explanation} ${hostname} was not released.`);
  }
}

/** How long it is worth trying: as long as it may be carried out. */
function validMs({ time, data }: StoredEvent, maxAgeMs: number): number {
  const until = 'validUntil' in data && data.validUntil !== undefined ? Date.parse(data.validUntil) : Infinity;
  return Math.min(maxAgeMs, until - Date.parse(time));
}

/** What an event caused by another one is made of. */
function about<Data>(cause: StoredEvent, type: string, data: Data) {
  return { id: eventId(type, cause.id), source: SOURCE, at: new Date(), endpoint: cause, data };
}

function explained({ code, explanation }: { code: string; explanation: string }): {
  code: string;
  explanation: string;
} {
  return { code, explanation };
}
