import { aDetection, aDetectionRaised, anEndpoint } from '@cordon/contracts/builders';
import { evolve, type Incident, NOTHING_HAPPENED } from '@cordon/incident';
import { expect, test } from 'vitest';
import { createProgress } from './progress.ts';

const endpoint = anEndpoint();
const raised = (seq: number) => ({ ...aDetectionRaised(aDetection({ endpoint })), seq });

function opened(seq: number): Incident {
  const { incident } = evolve(NOTHING_HAPPENED, raised(seq));
  if (!incident) throw new Error('no incident');
  return incident;
}

test('what was told of an incident stays known when the machine has another one', () => {
  const progress = createProgress();
  const [first, second] = [opened(10), opened(20)];
  progress.note(first, { thread: 15, message: 15 });
  progress.note(second, { thread: 20, message: 20 });
  expect(progress.of(first)).toMatchObject({ message: 15 });
  expect([10, 15, 16, 19, 20, 21].map((seq) => progress.covers(raised(seq), true))).toEqual([
    true,
    true,
    false,
    false,
    true,
    false,
  ]);
});

test('of a machine that comes again and again only the last incidents are known', () => {
  const progress = createProgress();
  for (let seq = 10; seq <= 80; seq += 10) progress.note(opened(seq), { thread: seq, message: seq });
  expect([10, 30, 40, 80].map((seq) => progress.covers(raised(seq), true))).toEqual([false, false, true, true]);
});
