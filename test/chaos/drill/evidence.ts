import type { KeyObject } from 'node:crypto';
import { decodeEvent, type StoredEvent } from '@cordon/contracts';
import { type EndpointState, evolve, type Incident, NOTHING_HAPPENED } from '@cordon/incident';
import type { ReceivedMail, SlackMessage } from '@cordon/sandbox';
import { verificationKeys } from '@cordon/service';
import type { Told } from './people.ts';
import type { Outage } from './perform.ts';
import { DRIFT_POLL_SECONDS, type Stage } from './stage.ts';

/** What can be seen from outside after a drill. */
export type Evidence = {
  /** Ids of the detections that were accepted. */
  accepted: ReadonlySet<string>;
  events: StoredEvent[];
  deadLetters: { reason: string; consumer: string }[];
  /** How often the broker delivered something to each consumer, repetitions included. */
  deliveries: { consumer: string; count: number }[];
  isolationCalls: { sid: string; at: number }[];
  releaseCalls: { sid: string }[];
  /** How often anybody asked LimaCharlie for a sensor's isolation. */
  looks: number;
  driftPollMs: number;
  /** Whose signature decisions must carry. */
  keys: readonly KeyObject[];
  slack: SlackMessage[];
  mails: ReceivedMail[];
  outages: Outage[];
  told: Told[];
  /** What was still waiting when the patience ended; empty where it became quiet. */
  restless: string[];
  endings: Stage['endings'];
  endedAt: number;
};

/** Reads the log once, and the records of the stand-ins. */
export async function gather(
  { cluster, system, limaCharlie, slack, mail, endings }: Stage,
  seen: Pick<Evidence, 'accepted' | 'outages' | 'told' | 'restless'>,
): Promise<Evidence> {
  const messages = await cluster.read('CORDON_EVENTS');
  const letters = await cluster.read('CORDON_DEAD_LETTERS');
  return {
    ...seen,
    events: messages.map((message) => ({
      ...decodeEvent((name) => message.header(name), message.text),
      seq: message.seq,
    })),
    deadLetters: letters.map(({ text, subject }) => ({
      reason: reasonIn(text),
      consumer: subject.split('.').at(-1) ?? '',
    })),
    deliveries: (await cluster.backlog()).map(({ consumer, deliveries }) => ({ consumer, count: deliveries })),
    isolationCalls: limaCharlie.calls.isolation.filter(({ method }) => method === 'POST'),
    releaseCalls: limaCharlie.calls.isolation.filter(({ method }) => method === 'DELETE'),
    driftPollMs: DRIFT_POLL_SECONDS * 1000,
    keys: verificationKeys().parse(system.secrets['DECISION_PUBLIC_KEYS']),
    looks: limaCharlie.calls.counts['GET /v1/:sid/isolation'] ?? 0,
    slack: slack.messages(),
    mails: mail.mails(),
    endings,
    endedAt: Date.now(),
  };
}

/** Every incident as it ended, folded from the log and from nothing else. */
export function incidentsIn(events: StoredEvent[]): Incident[] {
  const states = new Map<string, EndpointState>();
  const incidents = new Map<string, Incident>();
  for (const event of events) {
    const state = evolve(states.get(event.endpointId) ?? NOTHING_HAPPENED, event);
    states.set(event.endpointId, state);
    if (state.incident) incidents.set(state.incident.id, state.incident);
  }
  return [...incidents.values()];
}

function reasonIn(letter: string): string {
  const value: unknown = JSON.parse(letter);
  return typeof value === 'object' && value !== null && 'reason' in value ? String(value.reason) : '';
}
