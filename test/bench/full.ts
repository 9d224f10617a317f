import { setTimeout as delay } from 'node:timers/promises';
import { startBroker } from '@cordon/sandbox';
import { measureDecision } from './decision.ts';
import { fill } from './fill.ts';
import { type IngestFigures, measureIngest } from './ingest.ts';
import { measureNotice, type NoticeFigures } from './notice.ts';
import { percentiles, type Report, round } from './report.ts';
import { setStage, type Stage } from './stage.ts';

export type Figures = { ingest: IngestFigures; notice: NoticeFigures; decision: number[] };
const EVENTS = 1_000_000;
const INCIDENTS = 10_000;
/** Three gigabytes are on their way to the disk. */
const SETTLING_MS = 30_000;

/** (d) Whether (a), (b) and (c) hold when much has happened already. */
export async function measureFull(
  seconds: number,
  events = EVENTS,
): Promise<Figures & { filledInMs: number; events: number }> {
  await using broker = await startBroker();
  const start = performance.now();
  await fill(broker.url, { events, machines: Math.round((events / EVENTS) * INCIDENTS) });
  const filledInMs = performance.now() - start;
  await delay(SETTLING_MS);
  return { ...(await measureAll(seconds, broker.url)), filledInMs, events };
}

/** Each on a system of its own, so that none is measured in the wake of another; with a broker's address all on that one. */
export async function measureAll(seconds: number, natsUrl?: string): Promise<Figures> {
  const on = async <T>(measure: (stage: Stage) => Promise<T>): Promise<T> => {
    await using stage = await setStage(natsUrl);
    return await measure(stage); // awaited here, or the stage is gone before it begins
  };
  // Notice first: it leaves nothing isolated. Ingest last: what it stores would keep the others busy.
  const notice = await on((stage) => measureNotice(stage, seconds));
  const decision = await on((stage) => measureDecision(stage));
  const ingest = await on(({ system }) => measureIngest(system, seconds));
  return { ingest, notice, decision };
}

export function reportFull(
  { table, say }: Report,
  empty: Figures,
  full: Figures & { filledInMs: number; events: number },
): void {
  const [notices, decisions] = [
    [percentiles(empty.notice.notice), percentiles(full.notice.notice)],
    [percentiles(empty.decision), percentiles(full.decision)],
  ] as const;
  table(
    `With ${full.events.toLocaleString('en')} events in the stream and ${(full.events / 100).toLocaleString('en')} open incidents`,
    ['figure', 'empty', 'full', 'full of empty'],
    [
      row('ingest, webhooks per second', empty.ingest.cordon, full.ingest.cordon),
      row('webhook to notice, p50 ms', notices[0].p50, notices[1].p50),
      row('webhook to notice, p99 ms', notices[0].p99, notices[1].p99),
      row('decision to isolation request, p50 ms', decisions[0].p50, decisions[1].p50),
      row('decision to isolation request, p99 ms', decisions[0].p99, decisions[1].p99),
    ],
  );
  say('');
  say(`Filled in ${round(full.filledInMs / 1000, 0)} s with events of about 3 KB, past the services.`);
}

function row(name: string, before: number, after: number): string[] {
  return [name, round(before), round(after), `${round((100 * after) / before, 0)} %`];
}
