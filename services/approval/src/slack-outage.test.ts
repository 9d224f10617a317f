import { expect, test } from 'vitest';
import { IN_SLACK, type SlackLab, startSlackLab } from './slack-lab.ts';

const ALICE = 'U0ALICE';
const yes = { choice: 'isolate', reason: 'the test says so' };
const texts = ({ slack }: SlackLab): string[] => slack.ephemerals(ALICE).map(({ text }) => text);
const within3s = async <T>(act: Promise<T>): Promise<T> => {
  const from = performance.now();
  const result = await act;
  expect(performance.now() - from).toBeLessThan(3_000);
  return result;
};

test('where the modal cannot be opened, who pressed is told, and the next press works', async () => {
  await using desk = await startSlackLab();
  const incident = await desk.lab.asked({ terms: IN_SLACK });
  const ts = await desk.post(incident);
  desk.slack.faults.add({ kind: 'server-error', method: 'views.open', times: 1 });
  expect(await desk.slack.press(ALICE, ts, 'decide')).toEqual({ ok: true });
  await expect.poll(() => texts(desk)).toContainEqual(expect.stringContaining('or decide on the page'));
  await desk.slack.press(ALICE, ts, 'decide');
  await expect.poll(() => desk.slack.views(ALICE)).toHaveLength(1);
});

test('while the broker is away Slack is answered in time all the same, and the outcome follows', async () => {
  await using desk = await startSlackLab();
  const incident = await desk.lab.asked({ terms: IN_SLACK });
  const ts = await desk.post(incident);
  const id = await desk.open(ALICE, incident);
  await desk.lab.broker.stop();
  expect(await within3s(desk.slack.submit(ALICE, id, yes))).toEqual({ ok: true });
  expect(desk.shown(ALICE)).toContain('Your answer is being taken.');
  expect(await within3s(desk.slack.press('U0BOB', ts, 'decide'))).toEqual({ ok: true });
  await desk.lab.broker.restart();
  await expect.poll(() => desk.shown(ALICE)).toMatch(/Decided to isolate|not known/);
  const known = desk.shown(ALICE).includes('Decided to isolate');
  await expect.poll(() => desk.lab.decisions(incident)).toBe(known ? 1 : 0);
});
