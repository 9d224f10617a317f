import { randomUUID } from 'node:crypto';
import { aDetection, aDetectionRaised, anEndpoint } from '@cordon/contracts/builders';
import { evolve, NOTHING_HAPPENED } from '@cordon/incident';
import { expect, test } from 'vitest';
import { nothingFolded, type View } from './fold.ts';
import { createViews } from './views.ts';

const aView = (endpoint = anEndpoint(), seq = 1): View => ({ ...nothingFolded(endpoint), seq });

test('an older view never replaces a newer one', () => {
  const views = createViews();
  const endpoint = anEndpoint();
  views.set({ view: aView(endpoint, 7), bytes: 10 });
  views.set({ view: aView(endpoint, 5), bytes: 10 });
  expect(views.get(endpoint)?.view.seq).toBe(7);
  views.forget(endpoint);
  expect(views.get(endpoint)).toBeUndefined();
});

test('a view that is kept up to date stays so when the log was asked meanwhile', () => {
  const views = createViews();
  const endpoint = anEndpoint();
  views.set({ view: aView(endpoint, 7), bytes: 10, liveSince: 3 });
  views.set({ view: aView(endpoint, 8), bytes: 10 });
  expect(views.get(endpoint)).toMatchObject({ view: { seq: 8 }, liveSince: 3 });
  views.set({ view: aView(endpoint, 9), bytes: 10, liveSince: 4 }); // begun anew after a break
  expect(views.get(endpoint)).toMatchObject({ liveSince: 4 });
  views.forget(endpoint);
  views.set({ view: aView(endpoint, 9), bytes: 10 });
  expect(views.get(endpoint)?.liveSince).toBeUndefined();
});

test('what is kept elsewhere is let go, what ended after it is not', () => {
  const views = createViews();
  const endpoint = anEndpoint();
  const incidents = [randomUUID(), randomUUID()].map((id) => {
    const { incident } = evolve(NOTHING_HAPPENED, { ...aDetectionRaised(aDetection({ endpoint })), seq: 1 });
    if (!incident) throw new Error('no incident');
    return { ...incident, id };
  });
  const [early = '', late = ''] = incidents.map(({ id }) => id);
  const view = { ...aView(endpoint, 9), replaced: incidents, replacedAt: { [early]: 3, [late]: 9 } };
  views.set({ view, bytes: 10 });
  views.settle(endpoint, 5);
  expect(views.get(endpoint)?.view.replaced.map(({ id }) => id)).toEqual([late]);
});

test('memory is bounded, by what was read', () => {
  const views = createViews();
  const endpoints = Array.from({ length: 100 }, () => anEndpoint());
  for (const endpoint of endpoints) views.set({ view: aView(endpoint), bytes: 200_000 });
  expect(endpoints.filter((endpoint) => views.get(endpoint) !== undefined)).toHaveLength(40);
  const [last = anEndpoint()] = endpoints.slice(-1);
  views.set({ view: aView(last, 2), bytes: 600_000 }); // begins anew at its snapshot
  expect(views.get(last)).toBeUndefined();
});
