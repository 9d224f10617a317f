import { appendFile, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditKeeper } from '@cordon/approval/src/audit.ts';
import { aKey } from '@cordon/audit/builders';
import { ApprovalDecided, type CordonEvent, eventId, signEvent } from '@cordon/contracts';
import { aDetection, aDetectionRaised, anEndpoint } from '@cordon/contracts/builders';
import { incidentIdOf } from '@cordon/incident';
import { createLogger } from '@cordon/service';
import { expect, test } from 'vitest';
import { cordon, startLab } from './lab.ts';

const { key, publicKey } = aKey();
const publicText = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const context = { log: createLogger('test', 'silent'), redelivered: false };

/** A broker on which approval has recorded what happened to some machines, and a folder for exports. */
async function recordedLab(machines: number) {
  const lab = await startLab();
  const { record, seal } = auditKeeper(lab.bus.audit, await lab.bus.bucket('bookmarks'), key);
  const folder = await mkdtemp(join(tmpdir(), 'cordon-audit-'));
  const incidents: string[] = [];
  for (let count = 0; count < machines; count++) {
    const detected = aDetectionRaised(aDetection({ endpoint: anEndpoint(), commandLine: 'evil \u202E\u001B[2J' }));
    const incidentId = incidentIdOf(detected.data.detection);
    incidents.push(incidentId);
    for (const event of [detected, signEvent(aDecision(detected, incidentId), key)]) {
      const { seq } = await lab.bus.log.append(event);
      const stored = { ...event, seq };
      await record(stored, context);
      await lab.bus.log.keep(await lab.bus.log.load(event));
    }
  }
  await seal();
  return { ...lab, incidents, file: (name: string) => join(folder, name) };
}

function aDecision(endpoint: CordonEvent, incidentId: string) {
  return ApprovalDecided.create({
    id: eventId('approval.decided', incidentId),
    source: '/cordon/approval',
    at: new Date(),
    endpoint,
    data: {
      incidentId,
      outcome: 'leave',
      channel: 'page',
      decidedBy: { issuer: 'https://id.example.com', subject: 'a1', name: 'Alice \u001B[31m' },
      quietUntil: new Date().toISOString(),
    },
  });
}

test('an export is a new file for nobody else, and is checked without a broker', async () => {
  await using lab = await recordedLab(2);
  const path = lab.file('all.ndjson');
  const exported = await lab.cordon('audit', 'export', '--out', path);
  expect(exported).toMatchObject({ code: 0, out: '', err: expect.stringContaining('4 of 4 records, sealed') });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await lab.cordon('audit', 'export', '--out', path)).toMatchObject({
    code: 2,
    err: expect.stringContaining('it is there already'),
  });
  expect((await lab.cordon('audit', 'export')).out).toBe(await readFile(path, 'utf8'));

  const checked = await cordon({}, ['audit', 'verify', path, '--key', publicText]);
  expect(checked).toMatchObject({ code: 0, err: '' });
  expect(checked.out).toMatch(/^records +4, from 1 to 4\n/);
  expect(checked.out).toMatch(/decisions +2 leave\n/);
  expect(checked.out).toContain('Alice <U+001B>[31m (https://id.example.com a1)');
  expect(checked.out).toMatch(/problems +none. Nothing is missing up to the seal.\n$/);
  expect(await cordon({ DECISION_PUBLIC_KEYS: publicText }, ['audit', 'verify', path])).toEqual(checked);
  const pem = lab.file('key.pem');
  await writeFile(pem, publicKey.export({ type: 'spki', format: 'pem' }));
  expect(await cordon({}, ['audit', 'verify', path, '--key', pem])).toEqual(checked);
});

test('what was changed is named by line and record, and the exit code says so', async () => {
  await using lab = await recordedLab(2);
  const path = lab.file('all.ndjson');
  await lab.cordon('audit', 'export', '--out', path);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('"outcome":"leave"', '"outcome":"isolate"'));
  const argv = ['audit', 'verify', path, '--key', publicText];
  const changed = await cordon({}, argv);
  expect(changed.code).toBe(1);
  expect(changed.out).toMatch(/^line 2 \(record 2\): Its content does not give its hash: it was changed.\n/);
  await appendFile(path, 'after the end\n');
  const { code, out } = await cordon({}, [...argv, '--json']);
  const report: unknown = JSON.parse(out);
  expect(code).toBe(1);
  expect(report).toMatchObject({ records: 3, problems: [{ line: 2, record: 2 }, { line: 5 }, { line: 6 }] });

  const other = aKey().publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  await writeFile(path, text);
  expect((await cordon({}, ['audit', 'verify', path, '--key', other])).out.match(/another key/g)).toHaveLength(5);
  expect(await cordon({}, ['audit', 'verify', path])).toMatchObject({ code: 2 });
  expect(await cordon({}, ['audit', 'verify', `${path}x`, '--key', other])).toMatchObject({ code: 4 });
});

test('a part has to be called one', async () => {
  await using lab = await recordedLab(3);
  const [, incident = ''] = lab.incidents;
  for (const [name, argv, records] of [
    ['incident', ['--incident', incident], 2],
    ['since', ['--since', '4'], 3],
    ['time', ['--since', '1h'], 6],
  ] as const) {
    const path = lab.file(name);
    expect(await lab.cordon('audit', 'export', ...argv, '--out', path)).toMatchObject({ code: 0 });
    const verify = ['audit', 'verify', path, '--key', publicText];
    const part = await cordon({}, [...verify, '--partial']);
    expect(part, name).toMatchObject({ code: 0, out: expect.stringContaining(`records    ${records}, from`) });
    expect(part.out).toContain('A part: what it leaves out is not known.');
    expect((await cordon({}, verify)).code, name).toBe(name === 'time' ? 0 : 1);
  }
});

test('before anything was recorded, that is said', async () => {
  await using lab = await startLab();
  expect(await lab.cordon('audit', 'export')).toMatchObject({ code: 4, err: expect.stringContaining('no audit log') });
});
