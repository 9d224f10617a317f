import { randomUUID } from 'node:crypto';
import { aDetectionRaised } from '@cordon/contracts/builders';
import { type Broker, startBroker } from '@cordon/sandbox';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Bus,
  connectBus,
  connectOperator,
  CONSUMERS,
  type DeadLetter,
  type Operator,
  PermanentError,
} from './index.ts';

const log = pino({ level: 'silent' });
let broker: Broker;
let bus: Bus;
let operator: Operator;

beforeAll(async () => {
  broker = await startBroker();
  bus = await connectBus({ url: broker.url, name: 'test', log });
  operator = await connectOperator({ url: broker.url, name: 'operator' });
});
afterAll(async () => {
  await operator[Symbol.asyncDispose]();
  await bus.close();
  await broker[Symbol.asyncDispose]();
});

async function letters(): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for await (const { value } of operator.deadLetters()) if ('consumer' in value) found.push(value);
  return found;
}
const idle = () => expect.poll(() => operator.redriving(CONSUMERS.ask.name)).toBe(0);

test('a redriven message meets the same handler, and what fails again is a letter of its own each time', async () => {
  let isBroken = true;
  const handled: string[] = [];
  const consumption = await bus.consumeEvents(CONSUMERS.ask, async (event, { redelivered }) => {
    if (isBroken) throw new PermanentError('broken');
    handled.push(`${event.seq} ${redelivered}`);
  });
  const event = aDetectionRaised();
  const { seq } = await bus.log.append(event);
  await expect.poll(letters).toHaveLength(1);
  const ref = { stream: CONSUMERS.ask.stream, seq };
  for (const count of [2, 3]) {
    await operator.redrive(CONSUMERS.ask.name, ref, randomUUID());
    await expect.poll(letters).toHaveLength(count); // within the duplicate window of the first
  }
  for (const letter of await letters()) expect(letter).toMatchObject({ ...ref, reason: 'broken' });

  isBroken = false;
  const id = randomUUID();
  expect(await operator.redrive(CONSUMERS.ask.name, ref, id)).toMatchObject({ duplicate: false });
  expect(await operator.redrive(CONSUMERS.ask.name, ref, id)).toMatchObject({ duplicate: true });
  await expect.poll(() => handled).toEqual([`${seq} true`]);
  await idle();

  await operator.redrive(CONSUMERS.ask.name, { ...ref, seq: 999_999 }, randomUUID());
  await expect.poll(letters).toHaveLength(4);
  expect((await letters()).at(-1)?.reason).toBe('message 999999 is no longer in CORDON_EVENTS');
  await idle();
  await consumption.stop();
  expect(await consumption.done).toBeUndefined();
});
