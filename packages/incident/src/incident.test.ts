import {
  IsolationConfirmed,
  IsolationDrifted,
  IsolationFailed,
  IsolationHeld,
  IsolationRequested,
  type CordonEvent,
  ReleaseAccepted,
  ReleaseConfirmed,
  type StoredEvent,
} from '@cordon/contracts';
import { aDetection, aDetectionRaised, anEndpoint } from '@cordon/contracts/builders';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ask,
  canRelease,
  decide,
  describe,
  evolve,
  factsDigest,
  incidentIdOf,
  nextDeadline,
  NOTHING_HAPPENED,
  onTime,
  requestRelease,
} from './index.ts';
import { ALICE as alice, anAnswer, anAsking, BOB as bob, someTerms } from './builders.ts';
import type { Asking, DecideCommand, EndpointState } from './index.ts';

const terms = someTerms({ quietMs: 60 * 60_000 });
const start = Date.parse('2026-11-24T10:00:00.000Z');
const at = (minutes: number) => new Date(start + minutes * 60_000);

const wayBack = { channel: 'page' as const, person: bob, reason: 'clean', policyVersion: 'x', validMs: 60_000 };

/** A log of one endpoint to play with. */
function playground() {
  const endpoint = anEndpoint();
  let seq = 0;
  let state: EndpointState = NOTHING_HAPPENED;
  const events: StoredEvent[] = [];
  const append = (event: CordonEvent): void => {
    const stored = { ...event, seq: ++seq };
    events.push(stored);
    state = evolve(state, stored);
  };
  const run = (decision: ReturnType<typeof decide>): ReturnType<typeof decide> => {
    if ('events' in decision) decision.events.forEach(append);
    return decision;
  };
  const incident = () => {
    if (!state.incident) throw new Error('no incident');
    return state.incident;
  };
  return {
    endpoint,
    events,
    append,
    run,
    incident,
    state: () => state,
    detect: (minutes: number, about: Parameters<typeof aDetection>[0] = {}) => {
      const detection = aDetection({ endpoint, ...about });
      append(aDetectionRaised(detection, at(minutes)));
      return detection;
    },
    ask: (minutes: number, about: Partial<Asking> = {}) =>
      run(ask(state, () => anAsking({ terms, expiresAt: at(minutes + 30).toISOString(), ...about }), at(minutes))),
    answer: (outcome: 'isolate' | 'leave', person: typeof alice, minutes: number, about: Partial<DecideCommand> = {}) =>
      run(decide(state, anAnswer(incident(), { outcome, person, ...about }), terms, at(minutes))),
    onTime: (minutes: number) => run(onTime(state, incident().id, terms, at(minutes))),
    about: (minutes: number) => ({ id: `id-${seq}`, source: '/test', at: at(minutes), endpoint }),
  };
}

test('two detections of one run are one incident with one question', () => {
  const log = playground();
  const first = log.detect(0);
  log.ask(0);
  log.detect(0.05);
  expect(log.ask(0.05)).toEqual({ events: [] });
  expect(log.incident()).toMatchObject({ id: incidentIdOf(first), status: 'asked', detectionCount: 2 });
  expect(log.incident().findings).toHaveLength(1);
});

test('of two answers the first counts, and the second learns who won', () => {
  const log = playground();
  log.detect(0);
  log.ask(0);
  expect(log.answer('isolate', alice, 1)).toHaveProperty('events');
  const second = log.answer('leave', bob, 1);
  expect(second).toMatchObject({
    refused: { because: 'already_decided', incident: { decision: { decidedBy: alice, outcome: 'isolate' } } },
  });
  expect(log.incident().status).toBe('approved');
});

test('a no leaves the machine alone and the same finding is not asked about again for a while, a different one is', () => {
  const log = playground();
  log.detect(0, { commandLine: 'lazagne all' });
  log.ask(0);
  log.answer('leave', alice, 1);
  expect(describe(log.incident()).headline).toBe('Machine not isolated.');

  log.detect(10, { commandLine: 'lazagne all' });
  expect(log.ask(10)).toEqual({ events: [] });
  expect(log.incident()).toMatchObject({ status: 'left', suppressedCount: 1 });

  log.detect(11, { commandLine: 'mimikatz' });
  expect(log.ask(11)).toHaveProperty('events.length', 1);

  log.answer('leave', alice, 12);
  log.detect(62, { commandLine: 'lazagne all' }); // an hour after the first answer
  expect(log.ask(62)).toHaveProperty('events.length', 1);
});

test('an answer to other facts than the ones shown is not taken', () => {
  const log = playground();
  log.detect(0);
  log.ask(0);
  const seen = factsDigest(log.incident());
  log.detect(1, { commandLine: 'something else' });
  expect(log.answer('isolate', alice, 2, { factsDigest: seen })).toMatchObject({
    refused: { because: 'facts_changed' },
  });
  log.detect(3); // the same again changes nothing
  expect(factsDigest(log.incident())).toBe(factsDigest({ ...log.incident(), detectionCount: 99 }));
});

test('expiry ends the question, never isolates, and comes neither early nor after an answer', () => {
  const log = playground();
  log.detect(0);
  log.ask(0);
  expect(log.onTime(29)).toEqual({ events: [] });
  expect(log.answer('isolate', alice, 31)).toMatchObject({ refused: { because: 'expired' } });
  log.onTime(30);
  expect(log.incident()).toMatchObject({ status: 'expired', decision: { outcome: 'expired' } });
  expect(log.incident().history.at(-1)).toMatchObject({ type: 'approval.escalated', note: 'expired' });
  expect(log.onTime(40)).toEqual({ events: [] });
});

test('only the sensor makes an incident contained, and release is the way back', () => {
  const log = playground();
  log.detect(0);
  log.ask(0);
  log.answer('isolate', alice, 1);
  const { id: incidentId } = log.incident();
  expect(canRelease(log.incident())).toBe(false);
  log.append(IsolationRequested.create({ ...log.about(2), data: { incidentId, alreadyWanted: false } }));
  expect(describe(log.incident()).headline).not.toMatch(/isolated/);
  log.append(IsolationConfirmed.create({ ...log.about(3), data: { incidentId } }));
  expect(describe(log.incident()).headline).toBe('Machine isolated');
  log.detect(4); // stays in its incident until it is released
  expect(log.incident()).toMatchObject({ id: incidentId, detectionCount: 2 });

  log.run(requestRelease(log.state(), { incidentId, ...wayBack }, at(5)));
  expect(log.incident().status).toBe('releasing');
  expect(requestRelease(log.state(), { incidentId, ...wayBack }, at(5))).toMatchObject({
    refused: { because: 'not_releasable' },
  });
  log.append(IsolationConfirmed.create({ ...log.about(6), data: { incidentId } })); // a late confirmation changes nothing
  expect(log.incident().status).toBe('releasing');
  log.append(ReleaseAccepted.create({ ...log.about(7), data: { incidentId } }));
  log.append(ReleaseConfirmed.create({ ...log.about(8), data: { incidentId } }));
  expect(log.incident().status).toBe('released');
  log.detect(9);
  expect(log.ask(9)).toHaveProperty('events.length', 1); // after a release everything is asked about again
});

test('after a failed isolation the same finding is asked about again soon', () => {
  const log = playground();
  log.detect(0);
  log.ask(0);
  log.answer('isolate', alice, 1);
  const data = { incidentId: log.incident().id, code: 'denied', explanation: 'no permission' };
  log.append(IsolationFailed.create({ ...log.about(2), data }));
  log.detect(3);
  expect(log.incident()).toMatchObject({ status: 'failed', suppressedCount: 1 });
  log.detect(8);
  expect(log.ask(8)).toHaveProperty('events.length', 1);
});

test('events about another incident change nothing', () => {
  const log = playground();
  log.detect(0);
  log.ask(0);
  const before = log.state();
  log.append(IsolationConfirmed.create({ ...log.about(1), data: { incidentId: 'f'.repeat(32) } }));
  expect(log.state()).toEqual(before);
});

test('a yes counts once per person, and isolates when enough persons said so', () => {
  const log = playground();
  log.detect(0);
  log.ask(0, { votesNeeded: 2 });
  expect(log.answer('isolate', alice, 1)).toMatchObject({ events: [{ type: 'approval.voted' }] });
  expect(describe(log.incident()).sentence).toContain('Alice said yes, 1 more person has to agree');
  expect(
    log.answer('isolate', alice, 2, { channel: 'page', person: { ...alice, name: 'Another name' } }),
  ).toMatchObject({
    refused: { because: 'already_voted' },
  });
  expect(log.incident().status).toBe('asked');
  expect(log.answer('isolate', bob, 3)).toMatchObject({
    events: [{ type: 'approval.decided', data: { outcome: 'isolate', votes: [{ person: alice }, { person: bob }] } }],
  });
  expect(log.incident().status).toBe('approved');
});

test('one no ends it, whoever said yes before', () => {
  const log = playground();
  log.detect(0);
  log.ask(0, { votesNeeded: 3 });
  log.answer('isolate', alice, 1);
  log.answer('leave', bob, 2);
  expect(log.incident()).toMatchObject({ status: 'left', decision: { decidedBy: bob } });
});

test('who is in no group of the question, or at work on the machine, does not decide', () => {
  const log = playground();
  const detection = log.detect(0);
  log.ask(0);
  const user = detection.evidences[0]?.process?.user?.name ?? '';
  expect(user).toBe('CORP\\mallory');
  const refused = (about: Partial<DecideCommand>) => log.answer('leave', bob, 1, about);
  expect(refused({ groups: ['others'] })).toMatchObject({ refused: { because: 'not_in_group' } });
  expect(refused({ accounts: ['mallory'] })).toMatchObject({ refused: { because: 'logged_on' } });
  expect(refused({ accounts: ['Mallory@corp.example'] })).toMatchObject({ refused: { because: 'logged_on' } });
  expect(refused({ channel: 'slack' })).toMatchObject({ refused: { because: 'channel' } });
  expect(refused({ accounts: ['mallo'] })).toHaveProperty('events.length', 1);
});

test('reminders and escalation come in their order, each once, and end with the question', () => {
  const log = playground();
  const to = { mail: ['lead@example.com'], slack: [] };
  const escalate = [{ at: at(10).toISOString(), ...to }];
  log.detect(0);
  log.ask(0, { terms: { ...terms, remindAt: [at(5).toISOString(), at(10).toISOString()], escalate } });
  expect(nextDeadline(log.incident())).toEqual(at(5));
  expect(log.onTime(4)).toEqual({ events: [] });
  expect(log.onTime(5)).toMatchObject({ events: [{ type: 'approval.reminded', data: { count: 1 } }] });
  expect(log.onTime(6)).toEqual({ events: [] });
  expect(log.onTime(10)).toMatchObject({
    events: [{ type: 'approval.reminded' }, { type: 'approval.escalated', data: { because: 'unanswered', to } }],
  });
  expect(nextDeadline(log.incident())).toEqual(at(30));
  log.answer('leave', alice, 11);
  expect(nextDeadline(log.incident())).toBeUndefined();
  expect(log.onTime(30)).toEqual({ events: [] });
});

test('what a guard holds is asked about again, of more persons, and the first decision counts no more', () => {
  const log = playground();
  log.detect(0);
  log.ask(0);
  log.answer('isolate', alice, 1);
  const first = log.incident().decision?.eventId;
  const data = { incidentId: log.incident().id, code: 'blast_radius', explanation: 'Too many.' };
  log.append(IsolationHeld.create({ ...log.about(2), data }));
  expect(log.incident().status).toBe('held');
  const seen = factsDigest(log.incident());
  log.ask(3, { votesNeeded: 2, override: 'blast_radius' });
  // A form that was opened for the first question is no answer to the second.
  expect(log.answer('isolate', bob, 3, { factsDigest: seen })).toMatchObject({ refused: { because: 'facts_changed' } });
  expect(log.incident()).toMatchObject({ status: 'asked', question: { votes: [], votesNeeded: 2 } });
  expect(log.incident().decision).toBeUndefined();
  log.answer('isolate', alice, 4);
  const last = log.answer('isolate', bob, 5);
  expect(last).toMatchObject({ events: [{ data: { override: 'blast_radius' } }] });
  expect(log.incident().decision?.eventId).not.toBe(first);
});

test('a machine that stops being isolated is asked about at the next detection, and may return by itself', () => {
  const log = playground();
  log.detect(0);
  log.ask(0);
  log.answer('isolate', alice, 1);
  const { id: incidentId } = log.incident();
  log.append(IsolationRequested.create({ ...log.about(2), data: { incidentId, alreadyWanted: false } }));
  log.append(IsolationConfirmed.create({ ...log.about(3), data: { incidentId } }));
  log.append(IsolationDrifted.create({ ...log.about(4), data: { incidentId, code: 'x', explanation: 'y' } }));
  expect(log.incident().status).toBe('drifted');
  expect(canRelease(log.incident())).toBe(true);
  log.append(IsolationConfirmed.create({ ...log.about(5), data: { incidentId } }));
  expect(log.incident().status).toBe('contained');
  log.append(IsolationDrifted.create({ ...log.about(6), data: { incidentId, code: 'x', explanation: 'y' } }));
  log.detect(7);
  expect(log.ask(7)).toHaveProperty('events.length', 1);
  expect(log.incident().id).not.toBe(incidentId);
});

test('an isolated machine is released when its time is over, and not before', () => {
  const log = playground();
  log.detect(0);
  log.ask(0, { terms: { ...terms, releaseAfterMs: 60 * 60_000 } });
  log.answer('isolate', alice, 1);
  const { id: incidentId } = log.incident();
  log.append(IsolationRequested.create({ ...log.about(2), data: { incidentId, alreadyWanted: false } }));
  expect(nextDeadline(log.incident())).toBeUndefined();
  log.append(IsolationConfirmed.create({ ...log.about(3), data: { incidentId } }));
  expect(nextDeadline(log.incident())).toEqual(at(63));
  expect(log.onTime(62)).toEqual({ events: [] });
  expect(log.onTime(63)).toMatchObject({ events: [{ type: 'release.requested', data: { channel: 'timer' } }] });
  expect(log.incident().status).toBe('releasing');
  expect(log.onTime(64)).toEqual({ events: [] });
});

test('a rule of the policy answers by itself, also where the process died between question and answer', () => {
  const log = playground();
  log.detect(0);
  const both = ask(log.state(), () => anAsking({ rule: 'known tools', votesNeeded: 0 }), at(0));
  if (!('events' in both)) throw new Error('refused');
  expect(both.events.map((event) => event.type)).toEqual(['approval.requested', 'approval.decided']);
  const [requested, decision] = both.events;
  if (!requested || !decision) throw new Error('no events');
  log.append(requested);
  expect(log.ask(1)).toMatchObject({ events: [{ id: decision.id, data: { channel: 'policy', rule: 'known tools' } }] });
  expect(log.incident().status).toBe('approved');
});

test('folding from any snapshot gives the same state, and a storm keeps it small', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 11 }), { minLength: 1, maxLength: 120 }), fc.nat(), (steps, cut) => {
      const log = playground();
      for (const [minute, step] of steps.entries()) {
        const incidentId = log.state().incident?.id ?? '';
        const data = { incidentId, code: 'x', explanation: 'y' };
        if (step <= 1) log.detect(minute, { commandLine: `command ${step * minute}` });
        if (step === 2) log.ask(minute);
        if (step === 3 && incidentId) log.answer(minute % 2 ? 'isolate' : 'leave', alice, minute);
        if (step === 4)
          log.append(IsolationRequested.create({ ...log.about(minute), data: { incidentId, alreadyWanted: false } }));
        if (step === 5) log.append(IsolationConfirmed.create({ ...log.about(minute), data: { incidentId } }));
        if (step === 6) log.append(IsolationFailed.create({ ...log.about(minute), data }));
        if (step === 8) log.append(IsolationHeld.create({ ...log.about(minute), data }));
        if (step === 9) log.append(IsolationDrifted.create({ ...log.about(minute), data }));
        if (step === 10 && incidentId) log.onTime(minute);
        if (step === 11) log.ask(minute, { votesNeeded: 2 });
        if (step === 7 && incidentId) log.run(requestRelease(log.state(), { incidentId, ...wayBack }, at(minute)));
      }
      const middle = cut % (log.events.length + 1);
      const snapshot: EndpointState = JSON.parse(
        JSON.stringify(log.events.slice(0, middle).reduce(evolve, NOTHING_HAPPENED)),
      );
      const rebuilt = log.events.slice(middle).reduce(evolve, snapshot);
      expect(JSON.stringify(rebuilt)).toBe(JSON.stringify(log.events.reduce(evolve, NOTHING_HAPPENED)));
      expect(log.state().incident?.findings.length ?? 0).toBeLessThanOrEqual(20);
    }),
    { numRuns: 500 },
  );
});
