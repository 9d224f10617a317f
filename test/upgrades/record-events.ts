import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { connectOperator } from '@cordon/bus';
import { filterOf } from '@cordon/contracts';
import { type ServiceName, startService } from '@cordon/sandbox';
import { aWebhook } from '../bench/load.ts';
import { eventually } from '../e2e/person.ts';
import { Story } from '../e2e/story.ts';

// Plays one story per machine and keeps the log as this version wrote it, with the state as this version folded it:
// `node test/upgrades/record-events.ts 0.1`. Run once for a version, before the first commit after it.

const { positionals } = parseArgs({ allowPositionals: true });
const [version] = positionals;
if (!version) throw new Error('which version?');

const PACE = { CONFIRM_POLL_SECONDS: '0.1', OFFLINE_POLL_SECONDS: '0.1' };
const HOSTS = [
  'left-alone',
  'there-and-back',
  'offline-both-ways',
  'slow-both-ways',
  'vendor-said-no',
  'dc-01',
  'dry-run',
  'dry-release',
  'nobody-answered',
  'mail-refused',
  'still-open',
] as const;
type Host = (typeof HOSTS)[number];
const sidOf = new Map(HOSTS.map((host) => [host, randomUUID()]));

const story = await Story.begin({
  env: { ...PACE, PROTECTED_HOSTS: 'dc-*' },
  isolationLagMs: 500,
  sensors: HOSTS.map((hostname) => ({ sid: sid(hostname), hostname })),
});
const { limaCharlie, mail } = story.parts;
const alice = await story.signedIn('Alice');
try {
  await play();
  await keep();
} finally {
  await story.system.close();
}

async function play(): Promise<void> {
  const left = await detected('left-alone', 'LaZagne.exe all');
  await raise('left-alone', 'LaZagne.exe all');
  await raise('left-alone', 'LaZagne.exe browsers');
  await story.pageSays(alice, left, 'Detections 3');
  await story.decide(alice, left, 'leave', 'a test of the red team');
  await raise('left-alone', 'LaZagne.exe all');
  await story.pageSays(alice, left, 'Seen 1 more times'); // not asked about
  await detected('left-alone', 'LaZagne.exe memory'); // a second incident

  const isolated = await detected('there-and-back');
  await isolate(isolated, 'Machine isolated');
  await raise('there-and-back', 'LaZagne.exe wifi'); // joins while the machine is isolated
  await story.pageSays(alice, isolated, 'Detections 2');
  await release(isolated, 'Machine released');

  const offline = await detected('offline-both-ways');
  limaCharlie.setOnline(sid('offline-both-ways'), false);
  await isolate(offline, 'Isolation pending: machine offline');
  limaCharlie.setOnline(sid('offline-both-ways'), true);
  await story.pageSays(alice, offline, 'Machine isolated');
  limaCharlie.setOnline(sid('offline-both-ways'), false);
  await release(offline, 'Release pending: machine offline');
  limaCharlie.setOnline(sid('offline-both-ways'), true);
  await story.pageSays(alice, offline, 'Machine released');

  const refused = await detected('vendor-said-no');
  limaCharlie.faults.set('403', 1, { route: 'POST /v1/:sid/isolation' });
  await isolate(refused, 'Machine not isolated: failed');
  const again = await detected('vendor-said-no', 'LaZagne.exe again');
  await isolate(again, 'Machine isolated');
  limaCharlie.faults.set('403', 1, { route: 'DELETE /v1/:sid/isolation' });
  await release(again, 'Release failed');

  await isolate(await detected('dc-01'), 'Machine not isolated: refused');
  const dryRelease = await detected('dry-release');
  await isolate(dryRelease, 'Machine isolated');

  mail.faults.add({ kind: 'reply', code: 550, stage: 'rcpt', times: 1 });
  const unreachable = await detected('mail-refused');
  await story.decide(alice, unreachable, 'leave', 'known to us');

  await using impatient = await instead('isolation-executor', { ...PACE, CONFIRM_TIMEOUT_SECONDS: '0.05' });
  const slow = await detected('slow-both-ways');
  await isolate(slow, 'Isolation not confirmed');
  await story.pageSays(alice, slow, 'Machine isolated');
  await release(slow, 'Release not confirmed');
  await story.pageSays(alice, slow, 'Machine released');
  await impatient.stop();

  await using dry = await instead('isolation-executor', { ...PACE, DRY_RUN: 'true' });
  await isolate(await detected('dry-run'), 'Machine not isolated: dry run');
  await release(dryRelease, 'Dry run: LimaCharlie not called');
  await dry.stop();

  const open = await detected('still-open');
  await using hasty = await instead('approval', { APPROVAL_EXPIRY_MINUTES: '0.02' });
  await story.pageSays(alice, await detected('nobody-answered'), 'nobody decided in time');
  await eventually(() => (story.mails(open).length > 0 ? true : undefined), 'the mail about what is still open');
  await hasty.stop();
}

async function keep(): Promise<void> {
  await using operator = await connectOperator({ url: story.system.natsUrl, name: 'recorder' });
  const events: string[] = [];
  for await (const message of operator.read({ seq: 1, filter: filterOf('>') })) {
    const names = message.header.keys().filter((name) => !name.startsWith('Nats-') || name === 'Nats-Msg-Id'); // not what a read adds
    const headers = Object.fromEntries(names.map((name) => [name, message.header.get(name)]));
    events.push(JSON.stringify({ seq: message.seq, subject: message.subject, headers, payload: message.string() }));
  }
  const log = await operator.log();
  const states: string[] = [];
  for (const endpoint of await operator.endpoints()) states.push(JSON.stringify((await log.load(endpoint)).state));
  const incidents: string[] = [];
  for await (const incident of operator.incidents()) incidents.push(JSON.stringify(incident));
  for (const [name, kept] of Object.entries({ events, states, incidents })) {
    const file = new URL(`../../packages/contracts/fixtures/${name}-${version}.jsonl`, import.meta.url);
    await writeFile(file, `${kept.join('\n')}\n`);
  }
}

function sid(host: Host): string {
  const found = sidOf.get(host);
  if (!found) throw new Error(`no machine ${host}`);
  return found;
}

async function raise(hostname: Host, commandLine: string): Promise<void> {
  const about = { oid: limaCharlie.oid, sid: sid(hostname), hostname, commandLine };
  const detection: Record<string, unknown> = JSON.parse(aWebhook('not sent by us', about).body);
  await limaCharlie.raise(detection);
}

/** A detection that opens an incident, and everybody was told of it. */
async function detected(host: Host, commandLine = 'LaZagne.exe all'): Promise<string> {
  const id = await story.follow(() => raise(host, commandLine));
  await story.pageSays(alice, id, 'Told by');
  return id;
}

async function isolate(id: string, until: string): Promise<void> {
  await story.decide(alice, id, 'isolate', 'it is on fire');
  await story.pageSays(alice, id, until);
}

async function release(id: string, until: string): Promise<void> {
  await story.requestRelease(alice, id);
  await story.pageSays(alice, id, until);
}

/** Runs a service with other settings in place of the system's own. */
async function instead(name: ServiceName, env: Record<string, string>) {
  const { system } = story;
  await system.services[name].stop();
  const service = await startService({
    name,
    env: { ...system.secrets, PORT: new URL(system.approvalUrl).port, ...env },
  });
  await service.ready();
  return service;
}
