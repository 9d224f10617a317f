import { randomUUID } from 'node:crypto';
import { connectBus, type View } from '@cordon/bus';
import {
  ApprovalRequested,
  type CordonEvent,
  DetectionRaised,
  encodeEvent,
  type Endpoint,
  eventId,
  sha256,
  subjectOf,
} from '@cordon/contracts';
import { aDetection } from '@cordon/contracts/builders';
import { evolve, incidentIdOf, NOTHING_HAPPENED } from '@cordon/incident';
import { createLogger } from '@cordon/service';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import { aWebhook } from './load.ts';

const DAY = 86_400_000;

/**
 * Puts `events` events into the log, spread over `machines` machines, each with an open incident and its snapshot: a
 * detection, the question, and then the same detection again and again. As if long ago: no service sees them as new.
 */
export async function fill(natsUrl: string, { events, machines }: { events: number; machines: number }): Promise<void> {
  await using bus = await connectBus({ url: natsUrl, name: 'fill', log: createLogger('fill', 'silent') });
  const connection = await connect({ servers: natsUrl });
  const js = jetstream(connection, { timeout: 60_000 });
  const perMachine = Math.round(events / machines);
  for (let index = 0; index < machines; index++) {
    const endpoint = { tenantId: randomUUID(), endpointId: randomUUID() };
    const history = eventsOf(endpoint, `filled-host-${index}`, perMachine);
    // Nobody else writes: waiting for the last is waiting for all, and their places are those before its own.
    const [last, ...others] = history.toReversed().map(messageOf);
    if (!last) throw new Error('no events');
    for (const { subject, payload, fields } of others.toReversed()) connection.publish(subject, payload, fields);
    const { seq } = await js.publish(last.subject, last.payload, last.fields);
    await bus.log.keep(viewOf(endpoint, history, seq - history.length + 1));
  }

  const jsm = await jetstreamManager(connection);
  const { state } = await jsm.streams.info('CORDON_EVENTS');
  if (state.messages < machines * perMachine) throw new Error(`only ${state.messages} events were stored`);
  for await (const { name } of jsm.consumers.list('CORDON_EVENTS'))
    await jsm.consumers.reset('CORDON_EVENTS', name, state.last_seq + 1);
  await connection.close();
}

function messageOf(event: CordonEvent) {
  const { headers: values, payload } = encodeEvent(event);
  const fields = headers();
  for (const [name, value] of Object.entries(values)) fields.set(name, value);
  return { subject: subjectOf(event, event.type), payload, fields: { headers: fields } };
}

function viewOf(endpoint: Endpoint, events: CordonEvent[], firstSeq: number): View {
  let view: View = { endpoint, state: NOTHING_HAPPENED, seq: 0, heads: {}, replaced: [], replacedAt: {} };
  for (const [index, event] of events.entries()) {
    const seq = firstSeq + index;
    const entity = event.type.slice(0, event.type.indexOf('.'));
    view = { ...view, state: evolve(view.state, { ...event, seq }), seq, heads: { ...view.heads, [entity]: seq } };
  }
  return view;
}

/** The detection that opens the incident, the question about it, and more of the same. */
function eventsOf(endpoint: Endpoint, hostname: string, count: number): CordonEvent[] {
  const { tenantId: oid, endpointId: sid } = endpoint;
  const at = new Date(Date.now() - DAY);
  const text = aWebhook('', { oid, sid, hostname }).body;
  const raw = { media_type: 'application/json', sha256: sha256(text), size: text.length, body: text };
  const detection = aDetection({ endpoint, hostname });
  const raised = Array.from({ length: count - 1 }, (_, index) => {
    const uid = sha256(`${detection.uid}\n${index}`);
    const about = { id: uid, source: '/cordon/ingest', at, endpoint };
    return DetectionRaised.create({ ...about, data: { detection: { ...detection, uid }, raw } });
  });
  const [opening, ...rest] = raised;
  if (!opening) return [];
  const incidentId = incidentIdOf(opening.data.detection);
  const question = ApprovalRequested.create({
    id: eventId('approval.requested', incidentId),
    source: '/cordon/approval',
    at,
    endpoint,
    data: { incidentId, expiresAt: new Date(Date.now() + DAY).toISOString(), votesNeeded: 1, why: 'A person decides.' },
  });
  return [opening, question, ...rest];
}
