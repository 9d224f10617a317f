import { aDetectionRaised } from '@cordon/contracts/builders';
import { startBroker } from '@cordon/sandbox';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { connectBus } from './index.ts';

const Connections = z.object({ connections: z.array(z.object({ subscriptions: z.int() })) });

test('a look into the log leaves nothing behind at the broker', async () => {
  await using broker = await startBroker();
  await using bus = await connectBus({ url: broker.url, name: 'test', log: pino({ level: 'silent' }) });
  const subscriptions = async () => {
    const { connections } = Connections.parse(await (await fetch(`${broker.monitorUrl}/connz`)).json());
    return connections.map((connection) => connection.subscriptions);
  };
  const event = aDetectionRaised();
  await bus.log.load(event); // nothing there yet
  await bus.log.append(event);
  const before = await subscriptions();
  for (let count = 0; count < 5; count++) await bus.log.load(event);
  await expect.poll(subscriptions).toEqual(before);
  expect(before).toEqual([1]); // where answers to requests arrive
});
