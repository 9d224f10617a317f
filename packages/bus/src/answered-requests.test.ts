import { startBroker } from '@cordon/sandbox';
import { RequestOne } from '@nats-io/nats-core/internal';
import { connect, NatsConnectionImpl } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import './answered-requests.ts';

test('no error is made for a request that is answered, and every other one ends with the right one', async () => {
  await using broker = await startBroker();
  const connection = await connect({ servers: broker.url });
  if (!(connection instanceof NatsConnectionImpl)) throw new Error('another client');
  const { muxSubscriptions } = connection.protocol;
  connection.subscribe('echo', { callback: (_error, message) => void message.respond(message.data) });
  connection.subscribe('silence', { callback: () => {} });

  const answers = await Promise.all(['one', 'two'].map((text) => connection.request('echo', text)));
  expect(answers.map((answer) => answer.string())).toEqual(['one', 'two']);
  await expect(connection.request('nobody', 'text')).rejects.toThrow(/no responders/);
  await expect(connection.request('silence', 'text', { timeout: 50 })).rejects.toThrow(/timeout/);
  expect(muxSubscriptions.all()).toEqual([]);

  const [one, two] = [1, 2].map(async () => {
    const request = new RequestOne(muxSubscriptions, 'silence', { timeout: 1000 });
    request.cancel();
    return request.deferred.catch((error: unknown) => error);
  });
  expect(await one).toMatchObject({ message: 'cancelled' });
  expect(await one).toBe(await two);
  await connection.close();
});
