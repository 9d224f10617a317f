import type { Person, Terms } from '@cordon/contracts';
import type { Asking, DecideCommand } from './decide.ts';
import { factsDigest } from './finding.ts';
import type { Incident } from './state.ts';

// Valid test data: a test names only what it is about.

export const ALICE: Person = { issuer: 'https://id.example.com', subject: 'alice', name: 'Alice' };
export const BOB: Person = { issuer: 'https://id.example.com', subject: 'bob', name: 'Bob' };

export function someTerms(about: Partial<Terms> = {}): Terms {
  return {
    policyVersion: '0123456789abcdef',
    tier: 'workstation',
    deciders: ['approvers'],
    remindAt: [],
    escalate: [],
    contacts: { mail: [], slack: [] },
    slackDecides: false,
    passkey: false,
    quietMs: 60_000,
    decisionValidMs: 600_000,
    ...about,
  };
}

/** A question that one person answers, open for a minute from now. */
export function anAsking({ expiryMs = 60_000, ...about }: Partial<Asking> & { expiryMs?: number } = {}): Asking {
  return {
    expiresAt: new Date(Date.now() + expiryMs).toISOString(),
    votesNeeded: 1,
    why: 'One person has to agree.',
    terms: someTerms(),
    ...about,
  };
}

/** Alice's yes to the facts as they are. */
export function anAnswer(incident: Incident | undefined, about: Partial<DecideCommand> = {}): DecideCommand {
  if (!incident) throw new Error('no incident');
  return {
    incidentId: incident.id,
    outcome: 'isolate',
    person: ALICE,
    groups: ['approvers'],
    accounts: [],
    channel: 'page',
    reason: 'because',
    factsDigest: factsDigest(incident),
    ...about,
  };
}
