import { setImmediate as endOfTurn } from 'node:timers/promises';
import { startBroker } from '@cordon/sandbox';
import { connect, NatsConnectionImpl } from '@nats-io/transport-node';
import { expect, test, vi } from 'vitest';
import { writeTogether } from './write-together.ts';

test('what belongs to one turn is one write, in order, also after a reconnect', async () => {
  await using broker = await startBroker();
  const connection = await connect({ servers: broker.url, reconnectTimeWait: 50, maxReconnectAttempts: -1 });
  if (!(connection instanceof NatsConnectionImpl)) throw new Error('another client');
  const got: string[] = [];
  connection.subscribe('news', { callback: (_error, message) => void got.push(message.string()) });

  const tell = async (turn: string) => {
    const writes = vi.spyOn(connection.protocol.transport, 'send');
    writeTogether(connection);
    await connection.flush();
    await endOfTurn();
    writes.mockClear();
    for (let part = 0; part < 10; part++) {
      connection.publish('news', `${turn} ${part}`);
      await Promise.resolve(); // the client would write here
    }
    await endOfTurn();
    const { length } = writes.mock.calls;
    await connection.flush();
    expect(got.splice(0)).toEqual(Array.from({ length: 10 }, (_, part) => `${turn} ${part}`));
    return length;
  };
  expect(await tell('first')).toBe(1);
  const reconnected = (async () => {
    for await (const { type } of connection.status()) if (type === 'reconnect') return;
  })();
  await broker.kill();
  await broker.restart();
  await reconnected;
  expect(await tell('second')).toBe(1);
  await connection.close();
});
