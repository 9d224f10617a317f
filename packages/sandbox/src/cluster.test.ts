import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { startCluster } from './cluster.ts';

test('keeps what was acknowledged while its leader is killed, paused and restarted', { timeout: 120_000 }, async () => {
  await using cluster = await startCluster();
  const connection = await connect({
    servers: cluster.url.split(','),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  });
  try {
    const manager = await jetstreamManager(connection, { timeout: 10_000 });
    await manager.streams.add({ name: 'KEPT', subjects: ['kept.>'], num_replicas: 3 });
    await manager.consumers.add('KEPT', { durable_name: 'slow', ack_policy: 'explicit' });
    const js = jetstream(connection);
    const publish = async (text: string): Promise<void> => {
      await expect
        .poll(() => js.publish('kept.one', text, { msgID: text, timeout: 1000 }).then(() => 'stored', String), {
          timeout: 30_000,
        })
        .toBe('stored');
    };

    await publish('before');
    const first = await cluster.leaderOf('KEPT');
    await first?.kill();
    expect(first?.pid).toBeUndefined();
    await publish('while one is dead');

    await first?.restart();
    await cluster.healthy();
    const second = await cluster.leaderOf('KEPT');
    expect(second?.name).not.toBe(first?.name);
    second?.pause();
    await expect.poll(async () => (await cluster.leaderOf('KEPT'))?.name, { timeout: 30_000 }).not.toBe(second?.name);
    second?.resume();
    await cluster.healthy();
    await publish('after');

    const kept = await cluster.read('KEPT');
    expect(kept.map((message) => message.text)).toEqual(['before', 'while one is dead', 'after']);
    expect(kept.at(-1)).toMatchObject({ subject: 'kept.one', seq: 3 });
    expect(kept.at(-1)?.header('Nats-Msg-Id')).toBe('after');
    expect(await cluster.backlog()).toEqual([
      { stream: 'KEPT', consumer: 'slow', waiting: 3, unacknowledged: 0, deliveries: 0 },
    ]);
  } finally {
    await connection.close();
  }
});
