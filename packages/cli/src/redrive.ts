import { setTimeout as delay } from 'node:timers/promises';
import type { Operator } from '@cordon/bus';
import { type PutAside, remove } from './put-aside.ts';
import { rerunWebhook } from './rerun-webhook.ts';

/** What became of one thing that was put aside. `handled` and `stored` are good, `waiting` may become so. */
export type Redriven = {
  id: string;
  outcome: 'handled' | 'waiting' | 'failed again' | 'stored' | 'duplicate' | 'not understood' | 'gone' | 'unreadable';
  says: string;
};

const POLL_MS = 100;

/**
 * Hands everything back to where it failed: a message to its consumer, by reference, a webhook to ingest's code. Each is
 * removed only once the broker has acknowledged that. Then waits at most `waitMs` for the consumers.
 */
export async function redriveAll(
  operator: Operator,
  items: readonly PutAside[],
  waitMs: number,
  tell: (done: number) => void,
): Promise<Redriven[]> {
  const results: Redriven[] = [];
  const handed: { item: PutAside; consumer: string; stream: string; seq: number }[] = [];
  for (const [done, item] of items.entries()) {
    tell(done);
    if ('webhook' in item) results.push(await rerun(operator, item));
    else if ('unreadable' in item) {
      results.push({ id: item.id, outcome: 'unreadable', says: 'nobody can tell what it was: discard it' });
    } else {
      const { stream, seq, consumer } = item.letter;
      if ((await operator.redriving(consumer)) === undefined) {
        results.push({ id: item.id, outcome: 'gone', says: `nobody reads as ${consumer} any more` });
      } else if (await operator.hasMessage({ stream, seq })) {
        await operator.redrive(consumer, { stream, seq }, `redrive:letter:${item.seq}`);
        await remove(operator, item);
        handed.push({ item, consumer, stream, seq });
      } else {
        const says = `message ${seq} is no longer in ${stream}: only discarding is left`;
        results.push({ id: item.id, outcome: 'gone', says });
      }
    }
  }

  const waiting = await waitFor(operator, new Set(handed.map(({ consumer }) => consumer)), waitMs);
  const newest = Math.max(0, ...handed.map(({ item }) => item.seq));
  const again = await lettersAfter(operator, newest);
  for (const { item, consumer, stream, seq } of handed) {
    const letter = again.find((one) => one.consumer === consumer && one.stream === stream && one.of === seq);
    if (letter) results.push({ id: item.id, outcome: 'failed again', says: `now ${letter.seq}: ${letter.reason}` });
    else if (waiting.has(consumer)) {
      results.push({ id: item.id, outcome: 'waiting', says: `${consumer} has not finished: is its service running?` });
    } else results.push({ id: item.id, outcome: 'handled', says: `by ${consumer}` });
  }
  return results;
}

async function rerun(
  operator: Operator,
  item: PutAside & { webhook: Parameters<typeof rerunWebhook>[1] },
): Promise<Redriven> {
  const result = await rerunWebhook(operator, item.webhook);
  if (result.outcome === 'not understood') return { id: item.id, outcome: result.outcome, says: result.problem };
  await remove(operator, item);
  const says = result.outcome === 'stored' ? 'a detection was raised' : 'its detection is in the log already';
  return { id: item.id, outcome: result.outcome, says };
}

/** A dead letter in short: its own sequence, and which message it is of. */
type Letter = { seq: number; consumer: string; stream: string; of: number; reason: string };

/** The dead letters that came after one. */
export async function lettersAfter(operator: Operator, last: number): Promise<Letter[]> {
  const found: Letter[] = [];
  for await (const { seq, value } of operator.deadLetters(last + 1)) {
    if (!('consumer' in value)) continue;
    const { consumer, stream, reason } = value;
    found.push({ seq, consumer, stream, of: value.seq, reason });
  }
  return found;
}

/** The consumers that still have something to do when the time is over. */
export async function waitFor(operator: Operator, consumers: Set<string>, waitMs: number): Promise<Set<string>> {
  const waiting = new Set(consumers);
  for (const end = Date.now() + waitMs; ;) {
    for (const consumer of waiting) if (!(await operator.redriving(consumer))) waiting.delete(consumer);
    if (waiting.size === 0 || Date.now() >= end) return waiting;
    await delay(POLL_MS);
  }
}
