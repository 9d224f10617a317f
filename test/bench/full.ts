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

/**
 * (d) Whether (a), (b) and (c) hold when much has happened already. Figure by figure on an empty system and on a full one,
 * as the machine is not equally fast for long: notices and decisions one system after the other, ingest, which needs no
 * other service, by turns.
 */
export async function measureBoth(
  seconds: number,
  events = EVENTS,
): Promise<{ empty: Figures; full: Figures; filled: Filled }> {
  await using broker = await startBroker();
  const start = performance.now();
  await fill(broker.url, { events, machines: Math.round((events / EVENTS) * INCIDENTS) });
  const filledInMs = performance.now() - start;
  await delay(SETTLING_MS);
  const [empty, full] = [noFigures(), noFigures()];
  // Decisions once, after the notices: what they isolate, the LimaCharlie of the next stage does not know, and the executor
  // looks for it. Ingest last: the others would have to catch up with what it stores.
  for (const add of [addNotice, addNotice, addDecision]) {
    await broker.stop();
    await onStage(undefined, (stage) => add(empty, stage, seconds));
    await broker.restart();
    await onStage(broker.url, (stage) => add(full, stage, seconds));
  }
  await using emptyStage = await setStage();
  await using fullStage = await setStage(broker.url);
  const systems = [
    { system: emptyStage.system, figures: empty.ingest },
    { system: fullStage.system, figures: full.ingest },
  ];
  await measureIngest(systems, seconds);
  return { empty, full, filled: { events, filledInMs } };
}

async function onStage(natsUrl: string | undefined, measure: (stage: Stage) => Promise<void>): Promise<void> {
  await using stage = await setStage(natsUrl);
  await measure(stage);
}

function noFigures(): Figures {
  return { ingest: { bare: [], cordon: [] }, notice: { bare: [], notice: [] }, decision: [] };
}

async function addNotice({ notice: figures }: Figures, stage: Stage, seconds: number): Promise<void> {
  const { bare, notice } = await measureNotice(stage, seconds);
  figures.bare.push(...bare);
  figures.notice.push(...notice);
}

async function addDecision({ decision }: Figures, stage: Stage): Promise<void> {
  decision.push(...(await measureDecision(stage)));
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
