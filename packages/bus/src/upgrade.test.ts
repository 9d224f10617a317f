import { readdirSync, readFileSync } from 'node:fs';
import type { Endpoint } from '@cordon/contracts';
import type { EndpointState, Incident } from '@cordon/incident';
import { startBroker } from '@cordon/sandbox';
import { jetstream } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { connectBus, connectOperator } from './index.ts';

const fixtures = new URL('../../contracts/fixtures/', import.meta.url);
const versions = readdirSync(fixtures).flatMap((name) => /^events-(.+)\.jsonl$/.exec(name)?.[1] ?? []);

function* linesOf(file: string): Generator<string> {
  yield* readFileSync(new URL(file, fixtures), 'utf8').trim().split('\n');
}

test.each(versions)('the log that version %s wrote still means what it meant then', async (version) => {
  await using broker = await startBroker();
  await using bus = await connectBus({ url: broker.url, name: 'test', log: pino({ level: 'silent' }) });
  await using connection = await connect({ servers: broker.url });
  for (const line of linesOf(`events-${version}.jsonl`)) {
    const { seq, ...message }: { seq: number; subject: string; headers: Record<string, string>; payload: string } =
      JSON.parse(line);
    const given = headers();
    for (const [name, value] of Object.entries(message.headers)) given.set(name, value);
    const stored = await jetstream(connection).publish(message.subject, message.payload, { headers: given });
    expect(stored.seq).toBe(seq);
  }

  // Fields may have been added since; those of then say what they said.
  await using operator = await connectOperator({ url: broker.url, name: 'operator' });
  for (const line of linesOf(`states-${version}.jsonl`)) {
    const then: EndpointState & { incident: Endpoint } = JSON.parse(line);
    expect((await bus.log.load(then.incident)).state).toMatchObject(then);
    for await (const snapshot of operator.rebuild(then.incident, true)) expect(snapshot.written).toBe(true);
  }
  for (const line of linesOf(`incidents-${version}.jsonl`)) {
    const then: Incident = JSON.parse(line);
    expect(await bus.log.findIncident(then.id)).toMatchObject(then);
  }
});
