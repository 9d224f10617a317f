import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import { eventually, Person } from '../e2e/person.ts';
import { aWebhook, post } from './load.ts';
import { type Report, triple } from './report.ts';
import { type Measured, SECRET, type Stage } from './stage.ts';

/** The page takes no more of one session in a minute. */
const DECISIONS_PER_PERSON = 10;
/** What runs often is compiled in the first ones, which is work of its own. */
const WARM_UP = 60;
const TURNS = 6;
const PER_TURN = 50;
const PER_SECOND = 5;
const INTERVAL_MS = 1000 / PER_SECOND;

/** (c) From a person's POST to the isolation request arriving at LimaCharlie. */
export async function measureDecision(systems: readonly Measured[]): Promise<void> {
  const deciders: { decide: Decide; latencies: number[] }[] = [];
  for (const { stage, figures } of systems)
    deciders.push({ decide: await prepare(stage), latencies: figures.decision });
  for (const { decide } of deciders) await decide(WARM_UP);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { decide, latencies } of deciders) latencies.push(...(await decide(PER_TURN)));
  }
}

/** Decides so many questions more. Resolves with the milliseconds each took. */
type Decide = (count: number) => Promise<number[]>;

async function prepare({ system, oid, sensors }: Stage): Promise<Decide> {
  const { limaCharlie } = system;
  if (!limaCharlie) throw new Error('no stand-in');
  const pool = new Pool(system.ingestUrl, { connections: 8 });
  for (const { sid, hostname } of sensors) await post(pool, aWebhook(SECRET, { oid, sid, hostname }));
  await pool.close();
  const people: Person[] = [];
  for (let count = 0; count < sensors.length / DECISIONS_PER_PERSON; count++) {
    const person = new Person(system.approvalUrl);
    await person.signIn('Alice');
    people.push(person);
  }
  const [first] = people;
  if (!first) throw new Error('nobody is signed in');
  const questions = (await questionsOf(first, sensors)).entries();

  return async (count) => {
    const latencies: number[] = [];
    const begin = performance.now();
    for (const [index, id] of questions.take(count)) {
      // Not in step with what the services do every second.
      const at = begin + (latencies.length + Math.random() / 2) * INTERVAL_MS;
      await delay(Math.max(0, at - performance.now()));
      const person = people[index % people.length] ?? first;
      const { fields } = (await person.get(`/approvals/${id}`)).form(/review/);
      const known = limaCharlie.calls.isolation.length;
      const start = Date.now();
      await person.post(`/approvals/${id}/decide`, { ...fields, choice: 'isolate', reason: 'a benchmark' });
      const call = await eventually(() => limaCharlie.calls.isolation[known], 'the request');
      latencies.push(call.at - start);
    }
    return latencies;
  };
}

export function reportDecision({ table }: Report, latencies: number[]): void {
  table(
    `From a decision to the isolation request (${PER_SECOND} decisions per second, milliseconds)`,
    ['way', 'p50', 'p95', 'p99'],
    [['POST of the decision sent to request received by LimaCharlie', ...triple(latencies)]],
  );
}

/** The questions about these machines, as the list shows them: the newest first. */
async function questionsOf(person: Person, sensors: Stage['sensors']): Promise<string[]> {
  return eventually(
    async () => {
      const { body } = await person.get('/');
      const rows = [...body.matchAll(/\/approvals\/([0-9a-f]{32})/g)].map(({ index, 1: id = '' }) => ({ index, id }));
      const ids = new Set<string>();
      for (const [at, row] of rows.entries()) {
        const shown = body.slice(row.index, rows[at + 1]?.index);
        if (shown.includes('pill asked') && sensors.some(({ hostname }) => shown.includes(hostname))) ids.add(row.id);
      }
      return ids.size >= sensors.length ? [...ids] : undefined;
    },
    'all questions',
    60_000,
  );
}
