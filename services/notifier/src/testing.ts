import { randomUUID } from 'node:crypto';
import { type Bus, connectBus, type Consumption, CONSUMERS } from '@cordon/bus';
import {
  ApprovalDecided,
  ApprovalEscalated,
  ApprovalReminded,
  ApprovalRequested,
  ApprovalVoted,
  type Contacts,
  type CordonEvent,
  type Detection,
  DetectionRaised,
  eventId,
  IsolationConfirmed,
  IsolationDrifted,
  IsolationHeld,
  IsolationPending,
  IsolationRequested,
  NotificationOverdue,
  NotificationSent,
  type Person,
  ReleaseAccepted,
  ReleaseConfirmed,
  ReleaseRequested,
  sha256,
} from '@cordon/contracts';
import { evolve, type Incident, incidentIdOf, NOTHING_HAPPENED } from '@cordon/incident';
import { type Broker, type Mail, type Slack, startBroker, startMail, startSlack } from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { Registry } from 'prom-client';
import { type Channels, connectChannels } from './channels.ts';
import type { MailSettings, SlackSettings } from './config.ts';

export const PUBLIC_URL = 'https://cordon.example.com';
export const SLACK_CHANNEL = 'C0ALERTS1';
export const SLACK_TOKEN = 'xoxb-for-tests';
export const PERSON = {
  issuer: 'https://login.example.com',
  subject: 'ada',
  name: 'Ada Lovelace',
  email: 'ada@example.com',
};
const SOURCE = '/cordon/test';

export type Found = {
  hostname?: string;
  title?: string;
  commandLine?: string;
  path?: string;
  user?: string;
  severity?: number;
};

/** What happens to one machine, as events. */
export function aMachine(first: Found = {}) {
  const endpoint = { tenantId: randomUUID(), endpointId: randomUUID() };
  const opening = detectionOn(endpoint, first);
  const incidentId = incidentIdOf(opening);
  let steps = 0;
  const envelope = (type: string) => ({
    id: eventId(type, incidentId, String(++steps)),
    source: SOURCE,
    at: new Date(Date.now() + steps),
    endpoint,
  });
  return {
    endpoint,
    incidentId,
    detected: (again?: Found): CordonEvent => {
      const detection = again ? detectionOn(endpoint, { ...first, ...again }) : opening;
      return DetectionRaised.create({
        ...envelope('detection.raised'),
        id: detection.uid,
        data: { detection, raw: { media_type: 'application/json', sha256: sha256('{}'), size: 2, body: '{}' } },
      });
    },
    asked: (about: Partial<ApprovalRequested['data']> = {}): CordonEvent =>
      ApprovalRequested.create({
        ...envelope('approval.requested'),
        data: { incidentId, expiresAt: '2031-02-03T04:05:06.000Z', votesNeeded: 1, why: 'Always.', ...about },
      }),
    voted: (person: Person): CordonEvent => {
      const { at, ...rest } = envelope('approval.voted');
      const vote = { person, channel: 'page' as const, at: at.toISOString(), factsDigest: sha256('') };
      return ApprovalVoted.create({ ...rest, at, data: { incidentId, vote } });
    },
    reminded: (): CordonEvent =>
      ApprovalReminded.create({
        ...envelope('approval.reminded'),
        data: { incidentId, count: 1, expiresAt: '2031-02-03T04:05:06.000Z' },
      }),
    escalated: (because: 'unanswered' | 'expired', to: Contacts): CordonEvent =>
      ApprovalEscalated.create({
        ...envelope('approval.escalated'),
        data: { incidentId, because, count: 1, to },
      }),
    overdue: (channel: 'slack' | 'email'): CordonEvent =>
      NotificationOverdue.create({
        ...envelope('notification.overdue'),
        data: { incidentId, channel, occasion: 'incident', explanation: `${channel} did not take it.` },
      }),
    sent: (channel: 'slack' | 'email', occasion: string, target = 'somewhere'): CordonEvent =>
      NotificationSent.create({
        ...envelope('notification.sent'),
        data: { incidentId, channel, occasion, target, reference: '1' },
      }),
    held: (): CordonEvent =>
      IsolationHeld.create({
        ...envelope('isolation.held'),
        data: { incidentId, code: 'blast_radius', explanation: 'Ten machines were isolated within an hour.' },
      }),
    drifted: (): CordonEvent =>
      IsolationDrifted.create({
        ...envelope('isolation.drifted'),
        data: { incidentId, code: 'drifted', explanation: 'The sensor no longer reports isolated.' },
      }),
    decided: (
      outcome: 'isolate' | 'leave' | 'expired',
      reason?: string,
      more: Partial<ApprovalDecided['data']> = {},
    ): CordonEvent =>
      ApprovalDecided.create({
        ...envelope('approval.decided'),
        data: {
          incidentId,
          outcome,
          channel: outcome === 'expired' ? 'timer' : 'page',
          quietUntil: new Date(Date.now() + 3_600_000).toISOString(),
          ...(outcome !== 'expired' && { decidedBy: PERSON }),
          ...(reason !== undefined && { reason }),
          ...more,
        },
      }),
    requested: (): CordonEvent =>
      IsolationRequested.create({ ...envelope('isolation.requested'), data: { incidentId, alreadyWanted: false } }),
    pending: (explanation: string): CordonEvent =>
      IsolationPending.create({ ...envelope('isolation.pending'), data: { incidentId, code: 'offline', explanation } }),
    confirmed: (): CordonEvent =>
      IsolationConfirmed.create({ ...envelope('isolation.confirmed'), data: { incidentId } }),
    releaseAsked: (): CordonEvent =>
      ReleaseRequested.create({
        ...envelope('release.requested'),
        data: { incidentId, requestedBy: PERSON, channel: 'page', reason: 'cleaned' },
      }),
    releaseDue: (): CordonEvent =>
      ReleaseRequested.create({ ...envelope('release.requested'), data: { incidentId, channel: 'timer' } }),
    releaseAccepted: (): CordonEvent =>
      ReleaseAccepted.create({ ...envelope('release.accepted'), data: { incidentId } }),
    released: (): CordonEvent => ReleaseConfirmed.create({ ...envelope('release.confirmed'), data: { incidentId } }),
  };
}

/** The incident after some events. */
export function incidentAfter(...events: CordonEvent[]): Incident {
  const { incident } = events.reduce(
    (state, event, index) => evolve(state, { ...event, seq: index + 1 }),
    NOTHING_HAPPENED,
  );
  if (!incident) throw new Error('no incident');
  return incident;
}

function detectionOn({ tenantId, endpointId }: { tenantId: string; endpointId: string }, found: Found): Detection {
  const {
    hostname = 'WIN-01',
    title = 'MyDFIR - HackTool - Lazagne',
    commandLine = 'LaZagne.exe all',
    path = 'C:\\Users\\ada\\LaZagne.exe',
    user = 'WIN-01\\ada',
    severity = 4,
  } = found;
  const uid = sha256(randomUUID());
  return {
    schema_version: 1,
    uid,
    time: Date.now(),
    severity_id: severity,
    severity_basis: 'rule',
    finding_info: {
      uid: 'detect-1',
      title,
      src_url: 'https://app.limacharlie.io/orgs/o/detections/d',
      attacks: [{ tactic: { uid: 'TA0006', name: 'Credential Access' }, technique: { uid: 'T1003' } }],
    },
    metadata: {
      version: '1.8.0',
      product: { name: 'LimaCharlie', vendor_name: 'LimaCharlie' },
      tenant_uid: tenantId,
      logged_time: Date.now(),
      labels: ['attack.credential_access'],
    },
    device: { uid: endpointId, hostname, type_id: 1, isolatable: true, ip: '10.0.0.7', external_ip: '192.0.2.7' },
    evidences: [
      {
        process: {
          pid: 4711,
          cmd_line: commandLine,
          user: { name: user },
          file: { name: 'LaZagne.exe', path, type_id: 1, hashes: [{ algorithm_id: 3, value: 'ab'.repeat(32) }] },
          parent_process: { file: { name: 'powershell.exe', path: 'C:\\Windows\\powershell.exe', type_id: 1 } },
        },
      },
    ],
  };
}

type Wanted = { slack?: Partial<SlackSettings> | false; mail?: Partial<MailSettings> | false };

/** A broker, both stand-ins, and a notifier between them that can be ended and started again. */
export async function startWorld(wanted: Wanted = {}) {
  const broker: Broker = await startBroker();
  const slack: Slack = await startSlack({ token: SLACK_TOKEN, channel: SLACK_CHANNEL });
  const mail: Mail = await startMail();
  const lines: string[] = [];
  const log = createLogger('notifier', 'debug', { write: (line) => void lines.push(line) });
  const bus: Bus = await connectBus({ url: broker.url, name: 'notifier-test', log });
  const handled: string[] = [];
  const handler: Bus = await connectBus({
    url: broker.url,
    name: 'notifier',
    log,
    onHandled: (consumer, outcome) => void handled.push(`${consumer} ${outcome}`),
  });
  let channels: Channels | undefined;
  let consumptions: Consumption[] = [];

  async function start(): Promise<void> {
    channels = await connectChannels(
      {
        ...(wanted.slack !== false && {
          slack: {
            token: SLACK_TOKEN,
            channel: SLACK_CHANNEL,
            apiUrl: slack.apiUrl,
            postsPerSecond: 1,
            reconcileWaitMs: 300,
            ...wanted.slack,
          },
        }),
        ...(wanted.mail !== false && {
          mail: {
            server: { host: '127.0.0.1', port: mail.port, secure: false },
            requireTls: false,
            from: { name: 'Cordon', address: 'cordon@cordon.example.com' },
            to: ['soc@example.com'],
            ...wanted.mail,
          },
        }),
      },
      { publicUrl: PUBLIC_URL, bus: handler, log, metrics: new Registry() },
    );
    if (channels.slack) consumptions.push(await handler.consumeEvents(CONSUMERS.slack, channels.slack));
    if (channels.email) consumptions.push(await handler.consumeEvents(CONSUMERS.email, channels.email));
  }
  async function stop(): Promise<void> {
    await Promise.all(consumptions.map((consumption) => consumption.stop()));
    consumptions = [];
    await channels?.close();
  }

  await start();
  return {
    broker,
    bus,
    /** The service's own way to the broker. */
    handler,
    slack,
    mail,
    lines,
    handled,
    start,
    stop,
    operators: () => channels?.operators,
    /** Appends events in order. */
    async happen(...events: CordonEvent[]): Promise<void> {
      for (const event of events) await bus.log.append(event);
    },
    /** How many messages each consumer is done with, dead letters included. */
    done: (consumer: string): number =>
      handled.filter((line) => line === `${consumer} handled` || line === `${consumer} dead`).length,
    dead: (consumer: string): number => handled.filter((line) => line === `${consumer} dead`).length,
    async [Symbol.asyncDispose]() {
      await stop();
      await bus.close();
      await handler.close();
      await mail.close();
      await slack.close();
      await broker[Symbol.asyncDispose]();
    },
  };
}
