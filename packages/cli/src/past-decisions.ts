import type { Detection, StoredEvent } from '@cordon/contracts';
import { incidentIdOf, machineOf } from '@cordon/incident';
import type { PastDecision } from '@cordon/policy';

type Asked = StoredEvent & { type: 'approval.requested' };
type Decided = StoredEvent & { type: 'approval.decided' };
type About = Pick<PastDecision, 'machine' | 'detected'>;

/** The questions among these events that were decided, with what became of it. Those that began before are left out. */
export async function pastDecisions(events: AsyncIterable<StoredEvent>): Promise<PastDecision[]> {
  const opened = new Map<string, About>();
  const asked = new Map<string, Asked>();
  const last = new Map<string, PastDecision>();
  const decisions: PastDecision[] = [];
  for await (const event of events) {
    if (event.type === 'detection.raised') {
      const { detection } = event.data;
      opened.set(incidentIdOf(detection), aboutOf(detection));
    }
    if (!('incidentId' in event.data)) continue;
    const { incidentId } = event.data;
    if (event.type === 'approval.requested') asked.set(incidentId, event);
    if (event.type === 'approval.decided') {
      const question = asked.get(incidentId);
      const about = opened.get(incidentId);
      if (!question || !about) continue;
      const decision = decisionOf(question, event, about);
      decisions.push(decision);
      last.set(incidentId, decision);
    }
    const decision = last.get(incidentId);
    const result = resultOf(event);
    if (decision?.outcome === 'isolate' && result) decision.result ??= result;
  }
  return decisions;
}

function aboutOf(detection: Detection): About {
  const { severity_id: severityId, finding_info: info, device } = detection;
  return {
    machine: machineOf({ hostname: device.hostname, detection }),
    detected: { rule: info.analytic?.name ?? info.title, severityId },
  };
}

function decisionOf(question: Asked, event: Decided, about: About): PastDecision {
  const { incidentId, outcome, rule } = event.data;
  return {
    incidentId,
    endpointId: event.endpointId,
    ...about,
    askedAt: question.time,
    expiresAt: question.data.expiresAt,
    deciders: question.data.terms?.deciders,
    isOverride: question.data.override !== undefined,
    outcome,
    decidedAt: event.time,
    rule,
    answers: answersIn(event.data),
  };
}

/** Every yes, or the no. A no, and a yes of version 0.1, is no vote: the decision itself tells who said it. */
function answersIn({ outcome, votes = [], decidedBy, channel }: Decided['data']): PastDecision['answers'] {
  if (outcome === 'isolate' && votes.length > 0) {
    return votes.map(({ person, channel, passkey }) => ({
      name: person.name,
      channel,
      hasPasskey: passkey !== undefined,
    }));
  }
  if (!decidedBy || (channel !== 'page' && channel !== 'slack')) return [];
  return [{ name: decidedBy.name, channel, hasPasskey: false }];
}

/** What an event says became of a decision to isolate. */
function resultOf(event: StoredEvent): PastDecision['result'] {
  if (event.type === 'isolation.requested' || event.type === 'isolation.simulated') return 'isolated';
  if (event.type === 'isolation.held') return 'held';
  if (event.type === 'isolation.failed') return 'refused';
  if (event.type === 'isolation.refused') return event.data.code === 'protected_host' ? 'protected' : 'refused';
  return undefined;
}
