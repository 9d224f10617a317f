import type { Bus, Handler } from '@cordon/bus';
import {
  type CordonEvent,
  eventId,
  IsolationFailed,
  IsolationRefused,
  IsolationRequested,
  IsolationSimulated,
  ReleaseAccepted,
  ReleaseFailed,
  ReleaseSimulated,
  type StoredEvent,
} from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import { type Edr, failureOf } from './edr.ts';
import { judge, type Limits } from './judge.ts';

export const SOURCE = '/cordon/isolation-executor';
type Log = Pick<Bus['log'], 'load' | 'append'>;

/** Carries out what people decided: asks the EDR, and appends what it said. Safe to run again at any point. */
export function executeOnDecision(log: Log, edr: Edr, limits: Limits): Handler<StoredEvent> {
  return async (event, context) => {
    if (event.type !== 'approval.decided' && event.type !== 'release.requested') return;
    const { incident } = (await log.load(event, event.seq)).state;
    const outcome =
      event.type === 'approval.decided'
        ? await isolate(event, incident, edr, limits)
        : await release(event, incident, edr, limits);
    if (!outcome) return;
    await log.append(outcome);
    context.log.info(
      { endpointId: event.endpointId, incidentId: event.data.incidentId, outcome: outcome.type },
      'decision carried out',
    );
  };
}

async function isolate(
  event: StoredEvent & { type: 'approval.decided' },
  incident: Incident | undefined,
  edr: Edr,
  limits: Limits,
): Promise<CordonEvent | undefined> {
  // Not the standing decision of this endpoint, or carried out already.
  if (incident?.decision?.eventId !== event.id || incident.status !== 'approved') return undefined;
  const { hostname, id: incidentId } = incident;
  const ageMs = Date.now() - Date.parse(event.time);

  try {
    const verdict = judge(await edr.findSensor(event.endpointId), { hostname, decisionAgeMs: ageMs }, limits);
    switch (verdict.do) {
      case 'fail':
        return IsolationFailed.create(about(event, 'isolation.failed', { incidentId, ...explained(verdict) }));
      case 'refuse':
        return IsolationRefused.create(about(event, 'isolation.refused', { incidentId, ...explained(verdict) }));
      case 'simulate':
        return IsolationSimulated.create(about(event, 'isolation.simulated', { incidentId, ...explained(verdict) }));
      case 'isolate':
        await edr.isolate(event.endpointId);
        break;
      case 'report':
        break;
    }
    // Not "isolated": only the sensor says that.
    return IsolationRequested.create(
      about(event, 'isolation.requested', { incidentId, alreadyWanted: verdict.do === 'report' }),
    );
  } catch (error) {
    const failure = failureOf(error, hostname, ageMs, limits.decisionMaxAgeMs);
    return IsolationFailed.create(about(event, 'isolation.failed', { incidentId, ...failure }));
  }
}

async function release(
  event: StoredEvent & { type: 'release.requested' },
  incident: Incident | undefined,
  edr: Edr,
  limits: Limits,
): Promise<CordonEvent | undefined> {
  if (incident?.release?.eventId !== event.id || incident.status !== 'releasing') return undefined;
  if (incident.history.some((moment) => moment.type === 'release.accepted' && moment.seq > event.seq)) return undefined;
  const { hostname, id: incidentId } = incident;
  const ageMs = Date.now() - Date.parse(event.time);
  const failed = (code: string, explanation: string): CordonEvent =>
    ReleaseFailed.create(about(event, 'release.failed', { incidentId, code, explanation }));

  try {
    const sensor = await edr.findSensor(event.endpointId);
    if (!sensor)
      return failed('unknown_sensor', `LimaCharlie knows no sensor for ${hostname} any more. Nothing was released.`);
    if (ageMs > limits.decisionMaxAgeMs)
      return failed('stale_decision', `The request was too old to act on. ${hostname} was not released; ask again.`);
    if (limits.dryRun) {
      const explanation = 'Dry run: LimaCharlie was not called, nothing was released.';
      return ReleaseSimulated.create(about(event, 'release.simulated', { incidentId, code: 'dry_run', explanation }));
    }
    if (sensor.shouldIsolate || sensor.isolated) await edr.rejoin(event.endpointId);
    return ReleaseAccepted.create(about(event, 'release.accepted', { incidentId }));
  } catch (error) {
    const { code, explanation } = failureOf(error, hostname, ageMs, limits.decisionMaxAgeMs);
    return failed(code, `${explanation} ${hostname} was not released.`);
  }
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
