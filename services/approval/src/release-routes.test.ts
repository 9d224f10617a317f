import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page, Person } from '../../../test/e2e/person.ts';
import { type Lab, STALE, startLab } from './page-lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const REASON = 'it was reinstalled';
const formOf = async (person: Person, id: string): Promise<(entered?: Record<string, string>) => Promise<Page>> => {
  const { action, fields } = (await person.get(`/approvals/${id}/release`)).form(/release/);
  return (entered = { checked: 'yes', reason: REASON }) => person.post(action, { ...fields, ...entered });
};

test('an approver asks for the release on a page of its own, with a reason and a checked box', async () => {
  const incident = await lab.contained();
  const alice = await lab.signedIn();
  expect((await alice.get(`/approvals/${incident.id}`)).body).toContain(`/approvals/${incident.id}/release`);
  const send = await formOf(alice, incident.id);
  for (const entered of [
    { checked: 'yes', reason: 'no' },
    { reason: REASON },
    { checked: 'no', reason: REASON },
    { checked: 'yes', reason: REASON, sensor: 'x' },
  ]) {
    const page = await send(entered);
    expect([entered, page.status]).toEqual([entered, 422]);
    expect(page.body).toContain(`${entered.reason}</textarea>`);
  }
  expect((await lab.now(incident)).status).toBe('contained');
  expect((await send()).text).toContain('Release requested Alice asked to reconnect win-srv-07');
  expect((await lab.now(incident)).release).toMatchObject({ reason: REASON, requestedBy: { subject: 'alice' } });
});

test('it needs a fresh sign-in, before the form and when it is sent; the reason is kept', async () => {
  const incident = await lab.contained();
  const alice = await lab.signedIn(STALE);
  const page = await alice.get(`/approvals/${incident.id}/release`);
  expect(page.text).toContain('Confirm that it is you');
  expect(page.body).toContain(`/login?step=1&amp;to=${encodeURIComponent(`/approvals/${incident.id}/release`)}`);

  const bob = await lab.signedIn({ name: 'Bob' });
  const send = await formOf(bob, incident.id);
  await lab.change(bob, STALE);
  expect((await send()).text).toContain('Confirm that it is you');
  expect((await lab.now(incident)).status).toBe('contained');
  await lab.change(bob, { authenticatedAt: Date.now() });
  const again = await bob.get(`/approvals/${incident.id}/release`);
  expect(again.body).toContain(`${REASON}</textarea>`);
  expect(again.body).not.toMatch(/type="checkbox"[^>]* checked[ >]/);
});

test('two who ask at once ask once, and who comes second is told who was first', async () => {
  for (let round = 0; round < 10; round++) {
    const incident = await lab.contained();
    const [first, second] = await Promise.all(
      ['Alice', 'Bob'].map(async (name) => formOf(await lab.signedIn({ name }), incident.id)),
    );
    const pages = await Promise.all([first?.(), second?.()]);
    const { release, history } = await lab.now(incident);
    expect(history.filter((moment) => moment.type === 'release.requested')).toHaveLength(1);
    const winner = release?.requestedBy?.name ?? '';
    for (const page of pages) expect(page?.text).toContain(`${winner} a`); // "asked to reconnect" or "already asked"

    const later = await (winner === 'Alice' ? second : first)?.();
    expect(later?.status).toBe(409);
    expect(later?.text).toContain(`${winner} already asked for the release`);
  }
});

test('sent twice it is one request, and no error', async () => {
  const incident = await lab.contained();
  const send = await formOf(await lab.signedIn(), incident.id);
  expect([(await send()).status, (await send()).status]).toEqual([200, 200]);
  expect((await lab.now(incident)).history.filter((moment) => moment.type === 'release.requested')).toHaveLength(1);
});

test('neither a viewer nor a forged form releases, nor is there a page where nothing is isolated', async () => {
  const incident = await lab.contained();
  const victor = await lab.signedIn({ name: 'Victor', role: 'viewer' });
  expect((await victor.get(`/approvals/${incident.id}/release`)).url.pathname).toBe(`/approvals/${incident.id}`);
  const alice = await lab.signedIn();
  const { action, fields } = (await alice.get(`/approvals/${incident.id}/release`)).form(/release/);
  const form = { ...fields, checked: 'yes', reason: REASON };
  expect((await alice.post(action, form, { origin: 'https://evil.example' })).status).toBe(403);
  expect((await alice.post(action, { ...form, csrf: 'x' })).status).toBe(403);
  expect((await victor.post(action, form)).status).toBe(403);
  expect((await lab.stranger().post(action, form)).status).toBe(401);
  expect((await lab.now(incident)).status).toBe('contained');

  const asked = await lab.asked();
  expect((await alice.get(`/approvals/${asked.id}/release`)).url.pathname).toBe(`/approvals/${asked.id}`);
});
