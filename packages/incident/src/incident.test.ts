import {
  IsolationConfirmed,
  IsolationFailed,
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
  expire,
  factsDigest,
  incidentIdOf,
  NOTHING_HAPPENED,
  requestRelease,
} from './index.ts';
import type { EndpointState } from './index.ts';

const policy = { expiryMs: 30 * 60_000, quietMs: 60 * 60_000 };
const alice = { issuer: 'https://id.example.com', subject: 'alice', name: 'Alice' };
const bob = { issuer: 'https://id.example.com', subject: 'bob', name: 'Bob' };
const start = Date.parse('2026-11-24T10:00:00.000Z');
const at = (minutes: number) => new Date(start + minutes * 60_000);

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
    ask: (minutes: number) => run(ask(state, policy, at(minutes))),
    answer: (outcome: 'isolate' | 'leave', person: typeof alice, minutes: number) =>
      run(
        decide(
          state,
          { incidentId: incident().id, outcome, person, reason: 'because', factsDigest: factsDigest(incident()) },
          policy,
          at(minutes),
        ),
      ),
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
  const command = {
    incidentId: log.incident().id,
    outcome: 'isolate' as const,
    person: alice,
    reason: 'because',
    factsDigest: seen,
  };
  expect(decide(log.state(), command, policy, at(2))).toMatchObject({ refused: { because: 'facts_changed' } });
  log.detect(3); // the same again changes nothing
  expect(factsDigest(log.incident())).toBe(factsDigest({ ...log.incident(), detectionCount: 99 }));
});

test('expiry ends the question, never isolates, and comes neither early nor after an answer', () => {
  const log = playground();
  log.detect(0);
  log.ask(0);
  const { id } = log.incident();
  expect(expire(log.state(), id, policy, at(29))).toEqual({ events: [] });
  expect(log.answer('isolate', alice, 31)).toMatchObject({ refused: { because: 'expired' } });
  log.run(expire(log.state(), id, policy, at(30)));
  expect(log.incident()).toMatchObject({ status: 'expired', decision: { outcome: 'expired' } });
  expect(expire(log.state(), id, policy, at(40))).toEqual({ events: [] });
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

  log.run(requestRelease(log.state(), { incidentId, person: bob, reason: 'clean' }, at(5)));
  expect(log.incident().status).toBe('releasing');
  expect(requestRelease(log.state(), { incidentId, person: bob, reason: 'clean' }, at(5))).toMatchObject({
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

test('folding from any snapshot gives the same state, and a storm keeps it small', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 120 }), fc.nat(), (steps, cut) => {
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
        if (step === 7 && incidentId)
          log.run(requestRelease(log.state(), { incidentId, person: bob, reason: 'clean' }, at(minute)));
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
