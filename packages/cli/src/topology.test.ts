import { nanos } from '@nats-io/transport-node';
import { startBroker } from '@cordon/sandbox';
import { expect, test } from 'vitest';
import { cordon, startLab } from './lab.ts';

test('an empty broker misses everything, and --apply makes all of it', async () => {
  await using broker = await startBroker();
  const env = { NATS_URL: broker.url };
  const empty = await cordon(env, ['topology']);
  expect(empty.code).toBe(1);
  expect(empty.out).toContain('stream CORDON_EVENTS is missing\n');
  expect(await cordon(env, ['incidents'])).toMatchObject({ code: 1, err: expect.stringContaining('topology --apply') });
  expect(await cordon(env, ['topology', '--apply'])).toMatchObject({ code: 0 });
  expect(await cordon(env, ['topology'])).toMatchObject({ code: 0 });
  expect(await cordon(env, ['incidents'])).toMatchObject({ code: 0, out: 'There are no such incidents.\n' });
});

test('what services made is as declared, what drifted is named with both values, and --apply puts it right', async () => {
  await using lab = await startLab();
  for (const name of ['intents', 'bookmarks', 'guards', 'passkeys', 'sessions'] as const) await lab.bus.bucket(name);
  expect((await lab.cordon('topology')).out).not.toMatch(/differs|missing/);

  await lab.jsm.streams.update('CORDON_EVENTS', { max_age: nanos(3_600_000) });
  await lab.jsm.consumers.update('CORDON_EVENTS', 'notifier-slack', { max_ack_pending: 3 });
  await lab.jsm.consumers.update('CORDON_EVENTS', 'notifier-email', {
    filter_subjects: ['cordon.events.*.*.approval.>', 'cordon.events.*.*.isolation.>'],
  });
  await lab.jsm.consumers.delete('CORDON_EVENTS', 'approval-ask');
  await lab.jsm.consumers.add('CORDON_EVENTS', { durable_name: 'left-over', ack_policy: 'explicit' });
  await lab.jsm.streams.add({ name: 'CORDON_OLD', subjects: ['cordon.old'] });
  const drifted = await lab.cordon('topology');
  expect(drifted.code).toBe(1);
  expect(drifted.out).toContain('stream CORDON_EVENTS: max_age is 3600000000000, declared 34560000000000000\n');
  expect(drifted.out).toContain('consumer notifier-slack: max_ack_pending is 3, declared 20000\n');
  expect(drifted.out).toContain(
    'consumer notifier-email: filter_subjects is ["cordon.events.*.*.approval.>","cordon.events.*.*.isolation.>"], declared []\n',
  );
  expect(drifted.out).toContain('consumer approval-ask is missing\n');
  expect(drifted.out).toMatch(/stream +CORDON_OLD .*not declared/);

  const applied = await lab.cordon('topology', '--apply');
  expect(applied.out).toContain('4 put right.');
  expect(applied.code).toBe(0);
  const { value } = await lab.json('topology');
  expect(value).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: 'left-over', state: 'not declared' })]),
  );
});

test('NATS_REPLICAS is compared where it is set', async () => {
  await using lab = await startLab();
  const { code, out } = await cordon({ ...lab.env, NATS_REPLICAS: '3' }, ['topology']);
  expect(code).toBe(1);
  expect(out).toContain('stream CORDON_EVENTS: num_replicas is 1, declared 3\n');
});
