import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BackfillLab, idsOf, nextPass, records, runs, startBackfillLab } from './backfill-lab.ts';
import { aRecord, textOf } from './lab.ts';

let lab: BackfillLab;
beforeEach(async () => {
  lab = await startBackfillLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

describe('what was missed', () => {
  test('while ingest was away for ten minutes: 500 detections on several endpoints, each once', async () => {
    const missed = records(500);
    await lab.setBookmark(10);
    await lab.raiseAll(missed);
    expect(await lab.raised()).toEqual([]);

    const began = Date.now();
    await using ingest = await lab.startIngest();
    await expect.poll(() => lab.raised(), { timeout: 60_000 }).toHaveLength(500);
    expect(Date.now() - began).toBeLessThan(60_000);
    await nextPass(ingest);
    expect(await lab.raised()).toEqual(idsOf(missed));
    expect(await ingest.backfilled('stored')).toBe(500);
  }, 90_000);

  test('while the output was switched off: found on the fast clock, without anybody asking', async () => {
    await using ingest = await lab.startIngest({ timing: { eagerFor: 60_000 } });
    await runs(ingest).toBeGreaterThan(0);
    lab.cloud.setWebhook(undefined);
    const missed = records(3, { minutes: 0 });
    await lab.raiseAll(missed);
    await expect.poll(() => lab.raised()).toEqual(idsOf(missed));
  });

  test('while the broker was away: the 503 and its return are outages', async () => {
    await using ingest = await lab.startIngest();
    await nextPass(ingest);
    await lab.broker.stop();
    const [refused, unsent] = records(2, { minutes: 0 });
    expect(await lab.cloud.raise(refused ?? {})).toMatchObject({ delivered: false, status: 503 });
    expect(await lab.cloud.raise(unsent ?? {})).toMatchObject({ reason: 'paused' });
    await lab.broker.restart();
    const known = idsOf([refused, unsent].flatMap((record) => record ?? []));
    await expect.poll(() => lab.raised(), { timeout: 20_000 }).toEqual(known);
  });

  test('on the slow clock', async () => {
    await using ingest = await lab.startIngest({ timing: { slow: 300, eagerFor: 0 } });
    await runs(ingest).toBeGreaterThan(1);
    expect(await lab.bookmark()).toBeDefined();
    await runs(ingest).toBeGreaterThan(3);
  });
});

describe('no doubles', () => {
  test('when it runs twice, in one process or after a restart: what is old is found in the log itself', async () => {
    const missed = records(120, { endpoints: 2, minutes: 60 });
    await lab.setBookmark(60);
    await lab.raiseAll(missed);
    {
      await using ingest = await lab.startIngest();
      await expect.poll(() => lab.raised()).toHaveLength(120);
      await nextPass(ingest);
    }
    await lab.setBookmark(60);
    const appended: number[] = [];
    await using ingest = await lab.startIngest({
      wrap: (bus) => ({
        quarantine: (record) => bus.quarantine(record),
        log: {
          hasDetection: (...query) => bus.log.hasDetection(...query),
          detectionsSince: (...query) => bus.log.detectionsSince(...query),
          append: (event) => {
            if (event.type === 'detection.raised') appended.push(event.data.detection.time);
            return bus.log.append(event);
          },
        },
      }),
    });
    await nextPass(ingest);
    expect(await ingest.backfilled('stored')).toBe(0);
    expect(await ingest.backfilled('duplicate')).toBeGreaterThanOrEqual(120);
    // The broker would have told these apart too, but only for its ten minutes.
    expect(appended.filter((time) => time < Date.now() - 10 * 60_000)).toEqual([]);
    expect(await lab.raised()).toEqual(idsOf(missed));
  });

  test('when webhooks and gap filling bring the same at the same time', async () => {
    const sent = records(60, { minutes: 8 });
    await lab.setBookmark(10);
    await using ingest = await lab.startIngest({ timing: { eager: 50, eagerFor: 60_000, least: 20 } });
    await runs(ingest).toBeGreaterThan(0);
    for (const record of sent) expect(await lab.cloud.raise(record)).toMatchObject({ delivered: true });
    await nextPass(ingest);
    expect(await lab.raised()).toEqual(idsOf(sent));
  });

  test('when webhooks were delivered while another ingest asks', async () => {
    const sent = records(40, { minutes: 30, endpoints: 1 });
    {
      await using _before = await lab.startIngest();
      for (const record of sent) await lab.cloud.raise(record);
      await expect.poll(() => lab.raised()).toHaveLength(40);
    }
    await lab.setBookmark(40);
    await using ingest = await lab.startIngest();
    await runs(ingest).toBeGreaterThan(0);
    expect(await ingest.backfilled('duplicate')).toBe(40);
    expect(await lab.raised()).toHaveLength(40);
  });

  test('and what is known to be there costs no search of the log', async () => {
    let searches = 0;
    await using ingest = await lab.startIngest({
      wrap: (bus) => ({
        quarantine: (record) => bus.quarantine(record),
        log: {
          append: (event) => bus.log.append(event),
          hasDetection: (...query) => {
            searches++;
            return bus.log.hasDetection(...query);
          },
          detectionsSince: (...query) => {
            searches++;
            return bus.log.detectionsSince(...query);
          },
        },
      }),
    });
    await runs(ingest).toBeGreaterThan(0);
    await lab.setBookmark(30);
    await lab.raiseAll(records(20, { minutes: 20 }));
    await expect.poll(() => lab.raised()).toHaveLength(20);
    const before = searches;
    await nextPass(ingest);
    expect(await ingest.backfilled('duplicate')).toBeGreaterThanOrEqual(20);
    expect(searches).toBe(before);
  });

  test('and one endpoint is searched once, however many of its detections are old', async () => {
    await lab.setBookmark(60);
    await lab.raiseAll(records(250, { endpoints: 1, minutes: 60 }));
    let searches = 0;
    await using ingest = await lab.startIngest({
      timing: { eagerFor: 0 },
      wrap: (bus) => ({
        quarantine: (record) => bus.quarantine(record),
        log: {
          append: (event) => bus.log.append(event),
          hasDetection: async () => {
            throw new Error('one search each');
          },
          detectionsSince: (...query) => {
            searches++;
            return bus.log.detectionsSince(...query);
          },
        },
      }),
    });
    await expect.poll(() => lab.raised()).toHaveLength(250);
    await runs(ingest).toBe(1);
    expect(searches).toBe(1);
  });
});

describe('only what the output would send', () => {
  test('by rule tag, and never what is internal', async () => {
    const [wanted] = records(1, { tags: ['other', 'cordon'] });
    const [other] = records(1, { tags: ['other'] });
    const [untagged] = records(1, { tags: [] });
    const [internal] = records(1);
    await lab.setBookmark(20);
    await lab.raiseAll([other ?? {}, { ...internal, cat: '__internal' }, untagged ?? {}, wanted ?? {}]);
    await using ingest = await lab.startIngest({ ruleTags: ['cordon', 'second'] });
    await nextPass(ingest);
    expect(await lab.raised()).toEqual([wanted?.detect_id]);
  });

  test('without tags every rule', async () => {
    await lab.setBookmark(20);
    await lab.raiseAll([...records(1, { tags: [] }), ...records(1, { tags: ['other'] })]);
    await using ingest = await lab.startIngest();
    await nextPass(ingest);
    expect(await lab.raised()).toHaveLength(2);
  });
});

describe('what is not understood', () => {
  test('goes into quarantine once, whichever way it came first', async () => {
    const { routing: _, ...odd } = aRecord();
    await using ingest = await lab.startIngest();
    await nextPass(ingest);
    await lab.setBookmark(20);
    await lab.cloud.raise(odd);
    await nextPass(ingest);
    await expect.poll(() => lab.quarantine.map(textOf)).toEqual([JSON.stringify(odd)]);

    const { detect_id: _id, ...nameless } = aRecord();
    lab.cloud.setWebhook(undefined);
    await lab.cloud.raise(nameless);
    await nextPass(ingest);
    await nextPass(ingest);
    await expect.poll(() => lab.quarantine.length).toBe(2);
    expect(lab.quarantine[1]?.problem).toContain('`detect_id` is missing');
    expect(await lab.raised()).toEqual([]);
  });

  test('too large for the broker: its beginning is kept, and the others are stored', async () => {
    await lab.setBookmark(20);
    const [before, after] = records(2);
    await lab.raiseAll([before ?? {}, aRecord({ filler: 'x'.repeat(9_000_000) }), after ?? {}]);
    await using ingest = await lab.startIngest();
    await runs(ingest).toBe(1);
    expect(await lab.raised()).toEqual(idsOf([before, after].flatMap((record) => record ?? [])));
    await expect
      .poll(() => lab.quarantine.map(({ problem }) => problem))
      .toEqual([expect.stringContaining('only its')]);
  });
});
