import type { Evidence } from './evidence.ts';
import type { Verdict } from './judge.ts';
import type { DrillOptions } from './options.ts';
import type { People } from './people.ts';
import type { Load } from './webhooks.ts';

/** What a drill was and what it found, as one table for people. */
export function report(
  options: DrillOptions,
  { rows, violations, explanations }: Verdict,
  { outages, endings, deliveries }: Evidence,
  { load, people, quietMs }: { load: Load; people: People; quietMs: number },
): string {
  const lines = rows.map(({ counted, count, fault, found, explained }) => {
    const more = explained ? `, ${explained} explained` : '';
    return [counted, String(count), fault, `${found}${more}`] as const;
  });
  const head = ['counted', '', 'must be 0', 'found'] as const;
  const widths = [0, 1, 2].map((column) => Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0)));
  const [first = 0, second = 0, third = 0] = widths;
  const table = [head, ...lines].map(
    ([counted, count, fault, found]) =>
      `${counted.padEnd(first)}  ${count.padStart(second)}   ${fault.padEnd(third)}  ${found}`,
  );
  const did = (what: 'kill' | 'pause', of: (target: string) => boolean): number =>
    outages.filter((outage) => outage.did === what && of(outage.target)).length;
  const busy = deliveries.filter(({ count }) => count > 0);
  const leaders = outages.filter(({ wasLeader }) => wasLeader).length;

  return [
    `Fire drill, seed ${options.seed}`,
    `${load.sent} webhooks at ${load.rate.toFixed(0)}/s (${load.repeated} sent twice), ${load.attempts} attempts, not taken at first: ${listOf(load.refused)}`,
    `${did('kill', isService)} services and ${did('kill', isNode)} broker nodes killed, ${did('pause', isService)} and ${did('pause', isNode)} paused, ${leaders} times the leader; ${options.faults} faults in each stand-in`,
    `${people.pressed} answers pressed; clicks that failed: ${listOf(people.refused)}`,
    `quiet ${(quietMs / 1000).toFixed(0)} s after the last of it; ended by themselves: ${endings.map(({ service }) => service).join(', ') || 'none'}`,
    ...endings.map(
      ({ service, at, lastWords }) => `  ${service} at ${new Date(at).toISOString()}: ${reasonIn(lastWords)}`,
    ),
    `deliveries: ${busy.map(({ consumer, count }) => `${count} ${consumer}`).join(', ')}`,
    '',
    ...table,
    ...(explanations.length > 0 ? ['', 'explained:', ...explanations.map((text) => `  ${text}`)] : []),
    ...(violations.length > 0 ? ['', 'violations:', ...violations.map((text) => `  ${text}`)] : []),
    '',
  ].join('\n');
}

/** Why a service ended, by the last line of its log that tells of an error. */
function reasonIn(lastWords: string): string {
  const line = lastWords.split('\n').findLast((one) => one.includes('"err":'));
  return /"message":"((?:[^"\\]|\\.)*)"/.exec(line ?? '')?.[1] ?? 'no reason given';
}

function isNode(target: string): boolean {
  return target.startsWith('node');
}

function isService(target: string): boolean {
  return !isNode(target);
}

function listOf(counts: Map<string, number>): string {
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ') || 'none';
}
