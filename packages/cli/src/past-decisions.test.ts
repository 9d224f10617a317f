import { readFile } from 'node:fs/promises';
import {
  type CordonEvent,
  decodeEvent,
  eventId,
  IsolationHeld,
  IsolationRefused,
  type StoredEvent,
} from '@cordon/contracts';
import { aDetection, aDetectionRaised, stored } from '@cordon/contracts/builders';
import { ALICE, anAnswer, anAsking, BOB, someTerms } from '@cordon/incident/builders';
import { ask, decide, type Decision, type EndpointState, evolve, NOTHING_HAPPENED } from '@cordon/incident';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { pastDecisions } from './past-decisions.ts';

const Line = z.object({ seq: z.number(), headers: z.record(z.string(), z.string()), payload: z.string() });

async function* each(events: StoredEvent[]): AsyncGenerator<StoredEvent> {
  yield* events;
}

/** A log of one endpoint, written by the domain itself. */
function aLog(hostname: string) {
  const events: CordonEvent[] = [];
  const state = (): EndpointState => stored(events).reduce(evolve, NOTHING_HAPPENED);
  const raised = aDetectionRaised(aDetection({ hostname }));
  events.push(raised);
  return {
    events,
    transact(rule: (state: EndpointState) => Decision): void {
      const decision = rule(state());
      if ('refused' in decision) throw new Error(decision.refused.because);
      events.push(...decision.events);
    },
    ended(definition: typeof IsolationHeld | typeof IsolationRefused, code: string): void {
      const incidentId = state().incident?.id ?? '';
      const id = eventId(definition.type, incidentId, String(events.length));
      const data = { incidentId, code, explanation: 'because' };
      events.push(definition.create({ id, source: '/test', at: new Date(), endpoint: raised, data }));
    },
    read: () => pastDecisions(each(stored(events))),
    state,
  };
}

const terms = someTerms({ deciders: ['approvers', 'leads'], slackDecides: true });

test('reads who agreed through which channel, what held it back, and the second question about it', async () => {
  const log = aLog('win-srv-07');
  const now = new Date();
  log.transact((state) => ask(state, () => anAsking({ terms, votesNeeded: 2 }), now));
  log.transact((state) => decide(state, anAnswer(state.incident), terms, now));
  log.transact((state) => decide(state, anAnswer(state.incident, { person: BOB, channel: 'slack' }), terms, now));
  log.ended(IsolationHeld, 'blast_radius');
  log.transact((state) => ask(state, () => anAsking({ terms, override: 'blast_radius' }), now));
  log.transact((state) => decide(state, anAnswer(state.incident), terms, now));
  log.ended(IsolationRefused, 'protected_host');
  expect(await log.read()).toMatchObject([
    {
      machine: { hostname: 'win-srv-07', platform: 'windows' },
      detected: { rule: 'general.cordon-lazagne', severityId: 4 },
      deciders: ['approvers', 'leads'],
      isOverride: false,
      outcome: 'isolate',
      answers: [
        { name: 'Alice', channel: 'page', hasPasskey: false },
        { name: 'Bob', channel: 'slack', hasPasskey: false },
      ],
      result: 'held',
    },
    { isOverride: true, answers: [{ name: 'Alice' }], result: 'protected' },
  ]);
});

test('a no is one answer, whatever was voted before', async () => {
  const log = aLog('a');
  log.transact((state) => ask(state, () => anAsking({ votesNeeded: 2 }), new Date()));
  log.transact((state) => decide(state, anAnswer(state.incident, { person: ALICE }), terms, new Date()));
  log.transact((state) =>
    decide(state, anAnswer(state.incident, { person: BOB, outcome: 'leave' }), terms, new Date()),
  );
  expect(await log.read()).toMatchObject([{ outcome: 'leave', answers: [{ name: 'Bob', channel: 'page' }] }]);
});

test('the log of version 0.1 is history too', async () => {
  const lines = await readFile(new URL('../../contracts/fixtures/events-0.1.jsonl', import.meta.url), 'utf8');
  const events = lines
    .trim()
    .split('\n')
    .map((line) => {
      const { seq, headers, payload } = Line.parse(JSON.parse(line));
      return { ...decodeEvent((name) => headers[name] ?? '', payload), seq };
    });
  const decisions = await pastDecisions(each(events));
  expect(decisions).toHaveLength(events.filter(({ type }) => type === 'approval.decided').length);
  expect(decisions.filter(({ outcome }) => outcome !== 'expired').every(({ answers }) => answers.length === 1)).toBe(
    true,
  );
});
