import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { factsDigest, type Incident } from '@cordon/incident';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Page, Person } from '../../../test/e2e/person.ts';
import { type Lab, personCalled, STALE, startLab } from './page-lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const REASON = 'the test says so';

async function review(person: Person, { id }: Incident, entered: Record<string, string> = {}): Promise<Page> {
  const { action, fields } = (await person.get(`/approvals/${id}`)).form(/review/);
  return person.post(action, { ...fields, choice: 'leave', reason: REASON, ...entered });
}

/** Looks at the page, chooses, and looks at the confirmation: one press is left. */
async function ready(person: Person, incident: Incident, choice: string): Promise<() => Promise<Page>> {
  const { action, fields } = (await review(person, incident, { choice })).form(/decide/);
  return () => person.post(action, fields);
}

describe('a decision', () => {
  test.each([
    { choice: 'leave', asks: 'Keep win-srv-07 connected?', says: 'Machine not isolated.', status: 'left' },
    { choice: 'isolate', asks: 'Isolate win-srv-07 now?', says: 'Isolation decided', status: 'approved' },
  ])('to $choice is asked back once, then taken with its reason', async ({ choice, asks, says, status }) => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const confirmation = await review(alice, incident, { choice });
    expect(confirmation.status).toBe(200);
    expect(confirmation.text).toContain(asks);
    expect(confirmation.text).toContain(`Your reason: “${REASON}”`);
    expect(await lab.decisions(incident)).toBe(0);

    const { action, fields } = confirmation.form(/decide/);
    const page = await alice.post(action, fields);
    expect(page.url.pathname).toBe(`/approvals/${incident.id}`);
    expect(page.text).toContain(says);
    expect(page.text).toContain(`Reason: “${REASON}”`);
    expect(page.text).toContain('by Alice');
    const now = await lab.now(incident);
    expect(now.status).toBe(status);
    expect(now.decision).toMatchObject({ outcome: choice, decidedBy: personCalled('Alice'), reason: REASON });
  });

  test('starts on a page with nothing chosen, "no" first, and says until when and what then', async () => {
    const incident = await lab.asked();
    const page = await (await lab.signedIn()).get(`/approvals/${incident.id}`);
    expect(page.text).toContain('Isolate win-srv-07?');
    expect(page.text).toMatch(
      /Without an answer by \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(in 30 min\) the machine stays connected/,
    );
    expect([...page.body.matchAll(/name="choice" value="(\w+)"/g)].map((match) => match[1])).toEqual([
      'leave',
      'isolate',
    ]);
    expect(page.body).not.toMatch(/\bchecked\b/);
    expect(page.body.match(/<h1/g)).toHaveLength(1);
    expect(page.body).toContain('<html lang="en">');
    expect(page.body).toMatch(/<title>Waiting for a decision - win-srv-07 · Cordon<\/title>/);
  });

  test('sent twice is one decision, and no error', async () => {
    const incident = await lab.asked();
    const press = await ready(await lab.signedIn(), incident, 'leave');
    const pages = await Promise.all([press(), press()]);
    expect([...pages, await press()].map((page) => page.status)).toEqual([200, 200, 200]);
    expect(await lab.decisions(incident)).toBe(1);
  });

  test('of the same person to the contrary comes too late', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const isolate = await ready(alice, incident, 'isolate');
    await (
      await ready(alice, incident, 'leave')
    )();
    const page = await isolate();
    expect(page.status).toBe(409);
    expect(page.text).toContain('You already decided: Machine not isolated. This answer was not taken.');
  });

  test('on facts that changed meanwhile is not taken, and what was entered is kept', async () => {
    const incident = await lab.asked();
    const press = await ready(await lab.signedIn(), incident, 'isolate');
    await lab.append(aDetectionRaised(aDetection({ endpoint: incident, commandLine: 'mimikatz.exe' })));
    const page = await press();
    expect(page.status).toBe(409);
    expect(page.text).toContain('New facts arrived while you were deciding');
    expect(page.text).toContain('mimikatz.exe');
    expect(page.body).toContain(`${REASON}</textarea>`);
    expect(page.body).toMatch(/value="isolate" required checked/);
    expect(await lab.decisions(incident)).toBe(0);
    expect(page.form(/review/).fields['digest']).toBe(factsDigest(await lab.now(incident)));
  });

  test('is not even asked back on facts that its reader has not seen', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const { action, fields } = (await alice.get(`/approvals/${incident.id}`)).form(/review/);
    await lab.append(aDetectionRaised(aDetection({ endpoint: incident, commandLine: 'mimikatz.exe' })));
    const page = await alice.post(action, { ...fields, choice: 'isolate', reason: REASON });
    expect(page.status).toBe(409);
    expect(page.text).toContain('New facts arrived while you were deciding');
  });

  test('after the deadline comes too late', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const press = await ready(alice, incident, 'isolate');
    await lab.expire(incident);
    const page = await press();
    expect(page.status).toBe(410);
    expect(page.text).toContain('the question has expired');
    expect((await lab.now(incident)).status).toBe('expired');

    const late = await lab.asked({ expiryMs: -1 }); // over, though the timer has not said so yet
    const { action, fields } = (await alice.get(`/approvals/${late.id}`)).form(/review/);
    expect(
      (await alice.post(action.replace('review', 'decide'), { ...fields, choice: 'isolate', reason: REASON })).status,
    ).toBe(410);
    expect(await lab.decisions(late)).toBe(0);
  });

  test('is not offered before the team was asked', async () => {
    const raised = aDetectionRaised();
    await lab.append(raised);
    const { id } = await lab.now(raised);
    const page = await (await lab.signedIn()).get(`/approvals/${id}`);
    expect(page.text).toContain('The team is being asked');
    expect(page.forms().map((form) => form.action)).toEqual(['/logout']);
  });
});

describe('a form with faults', () => {
  test('comes back with what was entered and says what is missing', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    for (const entered of [
      { reason: 'no' },
      { choice: 'maybe' },
      { reason: ' '.repeat(9) },
      { reason: 'x'.repeat(501) },
      { digest: 'x' },
    ]) {
      const page = await review(alice, incident, { choice: 'isolate', ...entered });
      expect([entered, page.status]).toEqual([entered, 422]);
      expect(page.text).toContain('give a reason of 5 to 500 characters');
      expect(page.body).toContain(`${{ reason: REASON, ...entered }.reason}</textarea>`);
      expect(/value="isolate" required checked/.test(page.body)).toBe(!('choice' in entered));
    }
  });

  test.each([
    'choice=leave&choice=isolate',
    'reason=another+reason',
    '__proto__=x',
    '__proto__[role]=x',
    'constructor=x',
    'sensor=another',
    'digest=x',
  ])('a polluted one decides nothing: %s', async (more) => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const { fields } = (await alice.get(`/approvals/${incident.id}`)).form(/review/);
    const body = `${new URLSearchParams({ ...fields, choice: 'leave', reason: REASON }).toString()}&${more}`;
    const headers = { origin: lab.url, 'content-type': 'application/x-www-form-urlencoded' };
    const page = await alice.request('POST', `/approvals/${incident.id}/decide`, headers, body);
    expect(page.status).toBe(422);
    expect(await lab.decisions(incident)).toBe(0);
  });

  test('a doubled token is no token', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const { fields } = (await alice.get(`/approvals/${incident.id}`)).form(/review/);
    const body = `${new URLSearchParams({ ...fields, choice: 'leave', reason: REASON }).toString()}&csrf=${fields['csrf']}`;
    const headers = { origin: lab.url, 'content-type': 'application/x-www-form-urlencoded' };
    expect((await alice.request('POST', `/approvals/${incident.id}/decide`, headers, body)).status).toBe(403);
  });

  test('a reason of several lines counts as a browser counts it', async () => {
    const incident = await lab.asked();
    const reason = `${'x'.repeat(400)}${'\r\n'.repeat(50)}${'y'.repeat(50)}`;
    expect((await review(await lab.signedIn(), incident, { reason })).status).toBe(200);
  });
});

describe('a yes needs a fresh sign-in', () => {
  test('at the first step: the choice is kept, nothing has happened', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn(STALE);
    const page = await review(alice, incident, { choice: 'isolate' });
    expect(page.text).toContain('Confirm that it is you');
    expect(page.body).toContain(`/login?step=1&amp;to=${encodeURIComponent(`/approvals/${incident.id}?confirm=1`)}`);

    const resumed = await alice.get(`/approvals/${incident.id}?confirm=1`);
    expect(resumed.text).toContain('Isolate win-srv-07 now?');
    expect(resumed.text).toContain(REASON);
    const { action, fields } = resumed.form(/decide/);
    expect((await alice.post(action, fields)).text).toContain('Confirm that it is you');
    expect(await lab.decisions(incident)).toBe(0);
  });

  test('and at the last one', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const press = await ready(alice, incident, 'isolate');
    await lab.change(alice, STALE);
    expect((await press()).text).toContain('Confirm that it is you');
    expect(await lab.decisions(incident)).toBe(0);
  });

  test('300 seconds are fresh, one more is not; a no needs none of it', async () => {
    const incident = await lab.asked();
    const almost = await lab.signedIn({ authenticatedAt: Date.now() - 297_000 });
    expect((await review(almost, incident, { choice: 'isolate' })).text).toContain('Isolate win-srv-07 now?');
    const bob = await lab.signedIn({ name: 'Bob', ...STALE });
    expect((await (await ready(bob, incident, 'leave'))()).text).toContain('Machine not isolated.');
  });

  test('the kept choice is forgotten after ten minutes, and not confirmed on other facts', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn(STALE);
    await review(alice, incident, { choice: 'isolate' });
    await lab.append(aDetectionRaised(aDetection({ endpoint: incident, commandLine: 'mimikatz.exe' })));
    const changed = await alice.get(`/approvals/${incident.id}?confirm=1`);
    expect(changed.text).toContain('New facts arrived while you were deciding');
    expect(changed.body).toContain(`${REASON}</textarea>`);

    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10 * 60_000 + 1000 });
    try {
      const later = await alice.get(`/approvals/${incident.id}?confirm=1`);
      expect(later.form(/review/).fields['reason']).toBeUndefined();
      expect(later.body).not.toContain(REASON);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a race', () => {
  test('of two approvers has one winner, fifty times, and the other is told who', { timeout: 120_000 }, async () => {
    for (let round = 0; round < 50; round++) {
      const incident = await lab.asked();
      const presses = await Promise.all(
        ['Alice', 'Bob'].map(async (name, index) =>
          ready(await lab.signedIn({ name }), incident, index === round % 2 ? 'isolate' : 'leave'),
        ),
      );
      const pages = await Promise.all(presses.map((press) => press()));
      expect(new Set(pages.map((page) => page.status))).toEqual(new Set([200, 409]));
      const now = await lab.now(incident);
      expect(now.history.filter((moment) => moment.type === 'approval.decided')).toHaveLength(1);
      const loser = pages.find((page) => page.status === 409);
      expect(loser?.text).toContain(`${now.decision?.decidedBy?.name} already decided`);
    }
  });

  test('of an approver and the deadline has one winner, fifty times', { timeout: 120_000 }, async () => {
    const outcomes = new Set<string | undefined>();
    for (let round = 0; round < 50; round++) {
      const incident = await lab.asked();
      const press = await ready(await lab.signedIn(), incident, 'isolate');
      const pressed = round % 2 === 0 ? [press(), lab.expire(incident)] : [lab.expire(incident), press()];
      const [page] = (await Promise.all(pressed)).filter((result) => result !== undefined);
      const now = await lab.now(incident);
      expect(now.history.filter((moment) => moment.type === 'approval.decided')).toHaveLength(1);
      expect(page?.status).toBe(now.status === 'expired' ? 410 : 200);
      outcomes.add(now.decision?.outcome);
    }
    expect(outcomes).toContain('expired');
  });
});
