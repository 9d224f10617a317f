import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { ask } from '@cordon/incident';
import { anAsking } from '@cordon/incident/builders';
import { freePort, startService } from '@cordon/sandbox';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cordon, startLab } from './lab.ts';

let lab: Awaited<ReturnType<typeof startLab>>;
beforeAll(async () => (lab = await startLab()));
afterAll(async () => lab[Symbol.asyncDispose]());

const HOSTILE = 'C:\\x.exe "\u001B]0;owned\u0007\u202E" all';

async function anIncident(hostname: string) {
  const event = aDetectionRaised(aDetection({ hostname, commandLine: HOSTILE }));
  await lab.bus.log.append(event);
  await lab.bus.log.transact(event, (state) => ask(state, () => anAsking(), new Date()));
  await lab.bus.log.keep(await lab.bus.log.load(event));
  const { incident } = (await lab.bus.log.load(event)).state;
  if (!incident) throw new Error('no incident');
  return incident;
}

test('incidents are listed the newest first, filtered, and cut to the terminal', async () => {
  const [older, newer] = [await anIncident('win-srv-07'), await anIncident('mac-01')];
  expect(await lab.json('incidents')).toMatchObject({ code: 0, value: [{ id: newer.id }, { id: older.id }] });
  expect(await lab.json('incidents', '--host', 'SRV')).toMatchObject({ value: [{ id: older.id }] });
  expect(await lab.json('incidents', '--limit', '1')).toMatchObject({ value: [{ id: newer.id }] });
  expect((await lab.cordon('incidents', '--state', 'closed')).out).toBe('There are no such incidents.\n');
  const { out } = await cordon(lab.env, ['incidents'], { columns: 90 });
  expect(out).toMatch(/^ID +OPENED +STATUS +HOST/);
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(90);
});

test('one incident is shown with its timeline, as the log has it now, and inert', async () => {
  const incident = await anIncident('win-srv-08');
  await lab.bus.log.append(aDetectionRaised(aDetection({ endpoint: incident, hostname: 'win-srv-08' })));
  const { code, out } = await lab.cordon('incident', incident.id.slice(0, 10));
  expect(code).toBe(0);
  expect(out).toContain('asked: Waiting for a decision');
  expect(out).toMatch(/detections +2\n/);
  expect(out).toMatch(/Detected +win-srv-08[^]*Team asked[^]*Detected/);
  expect(out).toContain('<U+001B>]0;owned<U+0007><U+202E>');
  expect(out).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  expect(await lab.json('incident', incident.id)).toMatchObject({
    value: { incident: { id: incident.id, detectionCount: 2 }, events: [{ type: 'detection.raised' }, {}, {}] },
  });
  expect(await lab.cordon('incident', 'ffffffffff')).toMatchObject({ code: 4, out: '' });
});

test('tail begins where it was told, filters, follows, and ends on Ctrl-C', async () => {
  const incident = await anIncident('win-srv-09');
  const about = ['--endpoint', incident.endpointId];
  const asked = await lab.cordon('tail', '--from', '1', '--type', 'approval.*', ...about, '--count', '1');
  expect(asked).toMatchObject({ code: 0, out: expect.stringMatching(/Team asked/) });

  const interrupt = new AbortController();
  const following = cordon(lab.env, ['tail', '--json', '--from', '1h', '--type', 'detection.raised'], {
    signal: interrupt.signal,
  });
  const next = await anIncident('win-srv-10');
  const one = await lab.cordon(
    'tail',
    '--from',
    '1h',
    '--incident',
    next.id,
    '--type',
    'approval.requested',
    '--count',
    '1',
  );
  expect(one.out).toContain(next.id.slice(0, 8));
  interrupt.abort();
  const { code, out } = await following;
  expect(code).toBe(130);
  expect(out).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
});

test('a simulated detection goes through a running ingest, and a wrong secret is said to be wrong', async () => {
  const port = await freePort();
  const secret = 'the-webhook-secret';
  const env = { ...lab.env, LIMACHARLIE_WEBHOOK_SECRETS: `${secret},an-older-one` };
  const ingest = await startService({ name: 'ingest', env: { ...env, PORT: String(port) } });
  try {
    await ingest.ready();
    const argv = ['simulate', '--url', `http://127.0.0.1:${port}`, '--json'];
    const sent = await cordon(env, [...argv, '--host', 'practice-01']);
    expect(sent).toMatchObject({ code: 0, err: '' });
    const found: { endpoint: string; incident: string } = JSON.parse(sent.out);
    const tail = ['tail', '--from', '1', '--endpoint', found.endpoint, '--count', '1', '--json'];
    expect(JSON.parse((await lab.cordon(...tail)).out)).toMatchObject({
      type: 'detection.raised',
      data: { detection: { device: { hostname: 'practice-01' } } },
    });
    const wrong = await cordon({ ...env, LIMACHARLIE_WEBHOOK_SECRETS: 'another' }, argv);
    expect(wrong.code).toBe(1);
    expect(wrong.out).toContain('LIMACHARLIE_WEBHOOK_SECRETS');
  } finally {
    await ingest[Symbol.asyncDispose]();
  }
  const gone = await cordon(env, ['simulate', '--url', `http://127.0.0.1:${port}`]);
  expect(gone).toMatchObject({ code: 3, err: expect.stringContaining('start it, or give --url') });
});
