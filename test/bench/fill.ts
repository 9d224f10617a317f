import { randomUUID } from 'node:crypto';
import { type Bus, connectBus } from '@cordon/bus';
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

const AT_ONCE = 16;
const DAY = 86_400_000;

/**
 * Puts `events` events into the log, spread over `machines` machines, each with an open incident and its snapshot: a
 * detection, the question, and then the same detection again and again. As if long ago: no service sees them as new.
 */
export async function fill(natsUrl: string, { events, machines }: { events: number; machines: number }): Promise<void> {
  await using bus = await connectBus({ url: natsUrl, name: 'fill', log: createLogger('fill', 'silent') });
  const connection = await connect({ servers: natsUrl });
  const js = jetstream(connection, { timeout: 60_000 });
  const append = async (event: CordonEvent): Promise<number> => {
    const { headers: values, payload } = encodeEvent(event);
    const fields = headers();
    for (const [name, value] of Object.entries(values)) fields.set(name, value);
    return (await js.publish(subjectOf(event, event.type), payload, { headers: fields })).seq;
  };
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < machines) await oneMachine(bus, append, next++, Math.round(events / machines));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));

  const jsm = await jetstreamManager(connection);
  const { state } = await jsm.streams.info('CORDON_EVENTS');
  for await (const { name } of jsm.consumers.list('CORDON_EVENTS'))
    await jsm.consumers.reset('CORDON_EVENTS', name, state.last_seq + 1);
  await connection.close();
}

async function oneMachine(
  bus: Bus,
  append: (event: CordonEvent) => Promise<number>,
  index: number,
  count: number,
): Promise<void> {
  const endpoint = { tenantId: randomUUID(), endpointId: randomUUID() };
  const [opening, ...rest] = eventsOf(endpoint, `filled-host-${index}`, count);
  if (!opening) return;
  const seqs = [await append(opening), ...(await Promise.all(rest.map(append)))];
  let view = { endpoint, state: NOTHING_HAPPENED, seq: 0, heads: {}, replaced: [], replacedAt: {} };
  const inOrder = [opening, ...rest].map((event, at) => ({ ...event, seq: seqs[at] ?? 0 }));
  for (const event of inOrder.toSorted((a, b) => a.seq - b.seq)) {
    const entity = event.type.slice(0, event.type.indexOf('.'));
    view = { ...view, state: evolve(view.state, event), seq: event.seq, heads: { ...view.heads, [entity]: event.seq } };
  }
  await bus.log.keep(view);
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
