import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONSUMERS } from '@cordon/bus';
import { eventId, IsolationRequested } from '@cordon/contracts';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { ask, decide } from '@cordon/incident';
import { anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { expect, test } from 'vitest';
import { cordon, startLab } from './lab.ts';

async function policyFile(text: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'cordon-cli-')), 'policy.yaml');
  await writeFile(file, text);
  return file;
}

test('a policy is checked without a broker, and every fault is a line', async () => {
  expect(await cordon({}, ['policy', 'check'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('critical (quorum 2), server (quorum 1), workstation (quorum 1)'),
    err: '',
  });
  const file = await policyFile('tiers:\n  - name: a\n    quorum: 11\n    exires: 1h\n');
  const { code, out, err } = await cordon({ POLICY_FILE: file }, ['policy', 'check']);
  expect({ code, err }).toEqual({ code: 1, err: '' });
  expect(out.trimEnd().split('\n')).toEqual([
    `${file}:3:13: tiers[0].quorum: must be at most 10 persons`,
    expect.stringContaining(`${file}:4:5: tiers[0].exires: unknown key; there are name, match`),
  ]);
  const json = await cordon({}, ['policy', 'check', file, '--json']);
  expect(JSON.parse(json.out)).toMatchObject({ file, faults: [expect.any(String), expect.any(String)] });
  expect(await cordon({}, ['policy', 'check', '/nowhere/policy.yaml'])).toMatchObject({
    code: 1,
    out: '/nowhere/policy.yaml: cannot be read (ENOENT)\n',
  });
});

test('explains a host by what is given, in words and for scripts', async () => {
  const env = { NATS_URL: 'nats://127.0.0.1:1', OIDC_APPROVER_GROUP: 'soc', PROTECTED_HOSTS: 'dc-*' };
  const told = ['policy', 'explain', 'DC-01', '--tag', 'a', '--tag', 'b', '--platform', 'Linux'];
  const { code, out, err } = await cordon(env, told);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^tags +a, b\nplatform +linux\ntier +critical: host DC-01 matches dc-\*$/m);
  expect(out).toMatch(/^protected +yes, .*: host DC-01 matches dc-\*$/m);
  expect(out).toMatch(/^who decides +members of soc, /m);
  const json = await cordon({ ...env, APPROVAL_EXPIRY_MINUTES: '5' }, [...told, '--json']);
  expect(JSON.parse(json.out)).toMatchObject({ tier: 'critical', votesNeeded: 2, expiryMs: 300_000, remindMs: [] });
});

test('without a broker it explains all the same, and says what it does not know', async () => {
  const { code, out, err } = await cordon({ NATS_URL: 'nats://127.0.0.1:1' }, ['policy', 'explain', 'x\u001B[2J']);
  expect(code).toBe(0);
  expect(out).toContain('tier          workstation: no tier before it matches');
  expect(err).toBe(
    'No broker answers at nats://127.0.0.1:1: start it, or set NATS_URL to where it listens. Only what is given here is known of x<U+001B>[2J.\n',
  );
});

test('a policy with faults explains nothing', async () => {
  const file = await policyFile('tiers: []');
  const { code, out, err } = await cordon({ POLICY_FILE: file }, ['policy', 'explain', 'a']);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain(`${file}:1:8: tiers: must name at least one`);
});

test('tags and platform that are not given are those of the last incident', async () => {
  await using lab = await startLab();
  const consumption = await lab.bus.consumeEvents(CONSUMERS.snapshot, async (event) =>
    lab.bus.log.keep(await lab.bus.log.load(event, event.seq)),
  );
  const detection = aDetection({ hostname: 'app-7' });
  detection.metadata.labels = ['server'];
  await lab.bus.log.append(aDetectionRaised(detection));
  const machine = async (...argv: string[]) => (await lab.json('policy', 'explain', ...argv)).value;
  await expect.poll(() => machine('APP-7')).toMatchObject({ tier: 'server', machine: { platform: 'windows' } });
  expect(await machine('app-7', '--tag', 'critical')).toMatchObject({
    tier: 'critical',
    machine: { tags: ['critical'], platform: 'windows' },
  });
  expect(await machine('app-8')).toMatchObject({ tier: 'workstation', machine: { platform: 'unknown' } });
  await consumption.stop();
});

test('says which decisions another policy would have changed, and changes nothing', async () => {
  await using lab = await startLab();
  const terms = someTerms();
  for (const hostname of ['app-7', 'app-8', 'dc-1']) {
    const raised = aDetectionRaised(aDetection({ hostname }));
    await lab.bus.log.append(raised);
    await lab.bus.log.transact(raised, (state) => ask(state, () => anAsking(), new Date()));
    const outcome = hostname === 'app-8' ? 'leave' : 'isolate';
    await lab.bus.log.transact(raised, (state) =>
      decide(state, anAnswer(state.incident, { outcome }), terms, new Date()),
    );
    if (outcome === 'leave') continue;
    const incidentId = (await lab.bus.log.load(raised)).state.incident?.id ?? '';
    const id = eventId('isolation.requested', incidentId);
    const data = { incidentId, alreadyWanted: false };
    await lab.bus.log.append(
      IsolationRequested.create({ id, source: '/test', at: new Date(), endpoint: raised, data }),
    );
  }
  const before = (await lab.jsm.streams.info('CORDON_EVENTS')).state.messages;
  const env = { ...lab.env, OIDC_APPROVER_GROUP: 'approvers' };
  const whatIf = (...argv: string[]) => cordon(env, ['policy', 'what-if', '--since', '1h', ...argv]);

  const { code, out, err } = await whatIf();
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(
    /dc-1 +critical +isolated by Alice +1 of 2 votes\n1 of 3 decisions would have been different\.\n$/,
  );
  const file = await policyFile('tiers: [{ name: all }]\nprotected: { hosts: [app-*] }\n');
  expect(JSON.parse((await whatIf('--file', file, '--json')).out)).toMatchObject([
    { past: { machine: { hostname: 'app-7' } }, tier: 'all', how: ['never isolated: host app-7 matches app-*'] },
  ]);
  expect((await whatIf('--file', await policyFile('tiers: [{ name: all }]'))).out).toBe(
    'None of 3 decisions would have been different.\n',
  );
  expect((await lab.jsm.streams.info('CORDON_EVENTS')).state.messages).toBe(before);
});
