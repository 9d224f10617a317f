import { setTimeout as delay } from 'node:timers/promises';
import { startBroker } from '@cordon/sandbox';
import { measureDecision } from './decision.ts';
import { fill } from './fill.ts';
import { type IngestFigures, measureIngest } from './ingest.ts';
import { measureNotice, type NoticeFigures } from './notice.ts';
import { median, percentiles, type Report, round, typicalOf } from './report.ts';
import { setStage, type Stage } from './stage.ts';

/** (a), (b) and (c). */
export type Figures = { ingest: IngestFigures; notice: NoticeFigures; decision: number[] };
type Filled = { events: number; filledInMs: number };
const EVENTS = 1_000_000;
const INCIDENTS = 10_000;
/** Three gigabytes are on their way to the disk. */
const SETTLING_MS = 30_000;

/** (d) Whether (a), (b) and (c) hold when much has happened already. */
export async function measureBoth(
  seconds: number,
  events = EVENTS,
): Promise<{ empty: Figures; full: Figures; filled: Filled }> {
  const empty = await measureAll(seconds);
  await using broker = await startBroker();
  const start = performance.now();
  await fill(broker.url, { events, machines: Math.round((events / EVENTS) * INCIDENTS) });
  const filledInMs = performance.now() - start;
  await delay(SETTLING_MS);
  return { empty, full: await measureAll(seconds, broker.url), filled: { events, filledInMs } };
}

/** Each on services of its own, so that none is measured in the wake of another; with a broker's address all on that one. */
async function measureAll(seconds: number, natsUrl?: string): Promise<Figures> {
  async function onStage<T>(measure: (stage: Stage) => Promise<T>): Promise<T> {
    await using stage = await setStage(natsUrl);
    return await measure(stage);
  }
  // Notice first: it leaves nothing isolated. Ingest last: the others would have to catch up with what it stores.
  const notice = await onStage((stage) => measureNotice(stage, seconds));
  const decision = [await onStage(measureDecision), await onStage(measureDecision)].flat();
  const ingest = await onStage(({ system }) => measureIngest(system, seconds));
  return { ingest, notice, decision };
}

export function reportFull(
  { table, say }: Report,
  { empty, full, filled }: { empty: Figures; full: Figures; filled: Filled },
): void {
  const decisions = [percentiles(empty.decision), percentiles(full.decision)] as const;
  const notices = (share: number) =>
    [typicalOf(empty.notice.notice, share), typicalOf(full.notice.notice, share)] as const;
  table(
    `With ${filled.events.toLocaleString('en')} events in the stream and ${(filled.events / 100).toLocaleString('en')} open incidents`,
    ['figure', 'empty', 'full', 'full of empty'],
    [
      row('ingest, webhooks per second', median(empty.ingest.cordon), median(full.ingest.cordon)),
      row('webhook to notice, p50 ms', ...notices(0.5)),
      row('webhook to notice, p99 ms', ...notices(0.99)),
      row('decision to isolation request, p50 ms', decisions[0].p50, decisions[1].p50),
      row('decision to isolation request, p99 ms', decisions[0].p99, decisions[1].p99),
    ],
  );
  say('');
  say(`Filled in ${round(filled.filledInMs / 1000, 0)} s with events of about 3 KB, past the services.`);
}

function row(name: string, before: number, after: number): string[] {
  return [name, round(before), round(after), `${round((100 * after) / before, 0)} %`];
}
