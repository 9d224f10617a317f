import { setTimeout as delay } from 'node:timers/promises';
import { startBroker } from '@cordon/sandbox';
import { fill } from './fill.ts';
import { median, percentiles, type Report, round, typicalOf } from './report.ts';
import type { Figures } from './stage.ts';

const EVENTS_PER_INCIDENT = 100;
/** Three gigabytes are on their way to the disk. */
const SETTLING_MS = 30_000;

/** (d) A broker on which much has happened already, for a second system beside the empty one. */
export async function startFullBroker(events: number) {
  const broker = await startBroker();
  const start = performance.now();
  await fill(broker.url, { events, machines: events / EVENTS_PER_INCIDENT });
  const filledInMs = performance.now() - start;
  await delay(SETTLING_MS);
  return { ...broker, events, filledInMs };
}

export function reportFull(
  { table, say }: Report,
  { empty, full, events, filledInMs }: { empty: Figures; full: Figures; events: number; filledInMs: number },
): void {
  const decisions = [percentiles(empty.decision), percentiles(full.decision)] as const;
  const notices = (share: number) =>
    [typicalOf(empty.notice.notice, share), typicalOf(full.notice.notice, share)] as const;
  table(
    `With ${events.toLocaleString('en')} events in the stream and ${(events / EVENTS_PER_INCIDENT).toLocaleString('en')} open incidents`,
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
  say(
    `Both systems are up, and measured by turns. Filled in ${round(filledInMs / 1000, 0)} s with events of about 3 KB, past the services.`,
  );
}

function row(name: string, before: number, after: number): string[] {
  return [name, round(before), round(after), `${round((100 * after) / before, 0)} %`];
}
