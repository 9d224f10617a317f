import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BackfillLab, idsOf, nextPass, records, runs, startBackfillLab } from './backfill-lab.ts';

const DETECTIONS = 'GET /v1/insight/:oid/detections';

let lab: BackfillLab;
beforeEach(async () => {
  lab = await startBackfillLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

describe('the bookmark', () => {
  test('a first start takes no history, then or later', async () => {
    await lab.raiseAll(records(5, { minutes: 5 }));
    await using ingest = await lab.startIngest();
    await nextPass(ingest);
    expect(await lab.raised()).toEqual([]);
    const { since, upTo } = (await lab.bookmark()) ?? { since: '', upTo: '' };
    expect(Date.parse(upTo)).toBeGreaterThan(Date.parse(since));
  });

  test('away for more than seven days: the last seven are taken, and the log says so', async () => {
    const day = 24 * 60;
    const old = records(3, { minutes: 8 * day }).map((record) => ({
      ...record,
      gen_time: Date.now() - 8 * day * 60_000,
    }));
    const recent = records(3, { minutes: 6 * day });
    await lab.setBookmark(9 * day);
    await lab.raiseAll([...old, ...recent]);
    await using ingest = await lab.startIngest();
    await nextPass(ingest);
    expect(await lab.raised()).toEqual(idsOf(recent));
    expect(ingest.logLines.filter((line) => line.includes('more than 7 days'))).toHaveLength(1);
  });

  test('stays where it is until everything is stored', async () => {
    await lab.setBookmark(20);
    const before = await lab.bookmark();
    const missed = records(250);
    await lab.raiseAll(missed);
    let left = 150; // dies on its second page
    {
      await using ingest = await lab.startIngest({
        wrap: (bus) => ({
          quarantine: (record) => bus.quarantine(record),
          log: {
            hasDetection: (...query) => bus.log.hasDetection(...query),
            detectionsSince: (...query) => bus.log.detectionsSince(...query),
            append: async (event) => {
              if (left-- <= 0) throw new Error('killed');
              return bus.log.append(event);
            },
          },
        }),
      });
      await runs(ingest, 'failed').toBeGreaterThan(0);
    }
    expect(await lab.bookmark()).toEqual(before);
    await using ingest = await lab.startIngest();
    await runs(ingest).toBeGreaterThan(0);
    await expect.poll(() => lab.raised()).toEqual(idsOf(missed));
    expect(await lab.bookmark()).not.toEqual(before);
  });

  test('two at once move it forward, and store each detection once', async () => {
    await lab.setBookmark(20);
    const missed = records(150);
    await lab.raiseAll(missed);
    await using one = await lab.startIngest();
    await using other = await lab.startIngest({ port: 0 });
    await Promise.all([nextPass(one), nextPass(other)]);
    expect(await other.runs('failed')).toBe(0);
    expect(await lab.raised()).toEqual(idsOf(missed));
  });
});

describe('LimaCharlie', () => {
  test('without the permission: said once, and webhooks go on', async () => {
    await lab.setBookmark(20);
    lab.cloud.faults.set('401', undefined, { route: DETECTIONS });
    await using ingest = await lab.startIngest({ timing: { slow: 100 } });
    await runs(ingest, 'denied').toBeGreaterThan(2);
    const said = () => ingest.logLines.filter((line) => line.includes('insight.det.get'));
    expect(said()).toHaveLength(1);
    const [sent] = records(1);
    expect(await lab.cloud.raise(sent ?? {})).toMatchObject({ delivered: true, status: 202 });

    lab.cloud.faults.clear();
    await runs(ingest).toBeGreaterThan(0);
    lab.cloud.faults.set('403', undefined, { route: DETECTIONS });
    const before = await ingest.runs('denied');
    await runs(ingest, 'denied').toBeGreaterThan(before + 1);
    expect(said()).toHaveLength(2);
  });

  test('answering 429 is asked again when it says', async () => {
    await lab.setBookmark(20);
    await lab.raiseAll(records(5));
    lab.cloud.faults.set('429', 1, { route: DETECTIONS, periodSeconds: 1 });
    const began = Date.now();
    await using ingest = await lab.startIngest();
    await expect.poll(() => lab.raised()).toHaveLength(5);
    expect(Date.now() - began).toBeGreaterThanOrEqual(1000);
    expect(await ingest.runs('rate_limited')).toBe(1);
  });

  test('failing in the middle is asked again at the same page', async () => {
    await lab.setBookmark(20);
    await lab.raiseAll(records(250));
    const asked = () => lab.cloud.calls.counts[DETECTIONS] ?? 0;
    await using ingest = await lab.startIngest({
      timing: { eagerFor: 0 },
      wrap: (bus) => ({
        quarantine: (record) => bus.quarantine(record),
        log: {
          hasDetection: (...query) => bus.log.hasDetection(...query),
          detectionsSince: (...query) => bus.log.detectionsSince(...query),
          append: (event) => {
            if (asked() === 1) lab.cloud.faults.set('500', 2, { route: DETECTIONS });
            return bus.log.append(event);
          },
        },
      }),
    });
    await runs(ingest).toBe(1);
    expect(asked()).toBe(1 + 2 + 2); // the first page, two failures, the other two pages
    await expect.poll(() => lab.raised()).toHaveLength(250);
  });

  test('down at the start delays nothing, and is asked until it answers', async () => {
    await lab.setBookmark(20);
    const missed = records(5);
    await lab.raiseAll(missed);
    lab.cloud.faults.set('dropped');
    await using ingest = await lab.startIngest();
    await runs(ingest, 'failed').toBeGreaterThan(1);
    await expect.poll(() => lab.cloud.isOutputPaused()).toBe(false); // it has failed to deliver just before
    const [sent] = records(1);
    expect(await lab.cloud.raise(sent ?? {})).toMatchObject({ status: 202 });
    lab.cloud.faults.clear();
    await expect.poll(() => lab.raised()).toHaveLength(6);
  });

  test('slow to answer does not hold up a stop', async () => {
    await lab.setBookmark(20);
    lab.cloud.faults.set('slow', undefined, { delayMs: 20_000 });
    const ingest = await lab.startIngest();
    const began = Date.now();
    await ingest[Symbol.asyncDispose]();
    expect(Date.now() - began).toBeLessThan(6000);
  });
});
