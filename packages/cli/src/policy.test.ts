import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONSUMERS } from '@cordon/bus';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
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
