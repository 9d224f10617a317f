import { randomUUID } from 'node:crypto';
import { anEndpoint } from '@cordon/contracts/builders';
import { startBroker } from '@cordon/sandbox';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { connectBus, CONSUMERS } from './index.ts';

const log = pino({ level: 'silent' });

test('what a process had in hand when it was killed is not late: the next one gets it within five seconds', async () => {
  await using broker = await startBroker();
  await using bus = await connectBus({ url: broker.url, name: 'approval', log });
  const deadline = { ...anEndpoint(), incidentId: randomUUID().replaceAll('-', '') };
  await bus.arm('approval', deadline, new Date());

  const killed = await connect({ servers: broker.url });
  const { stream, name } = CONSUMERS.expire;
  const inHand = await (await jetstream(killed).consumers.get(stream, name)).next({ expires: 5000 });
  expect(inHand?.subject).toContain(deadline.incidentId);
  const killedAt = Date.now();
  await killed.close();

  const handled = new Promise<number>((resolve) => {
    void bus.consumeDeadlines(CONSUMERS.expire, async () => resolve(Date.now()));
  });
  expect((await handled) - killedAt).toBeLessThan(5000);
});
