import type { Random } from './random.ts';

export type Name = 'Alice' | 'Bob';
export type Answer = { name: Name; outcome: 'isolate' | 'leave'; laterMs?: number };
/** What policy wants for a machine, by the end of its name, and who presses what about it. */
export type Habit = { tier: 'one' | 'two' | 'short' | 'back'; answers: readonly Answer[] };

const yes = (name: Name, laterMs = 0): Answer => ({ name, outcome: 'isolate', laterMs });
const no = (name: Name): Answer => ({ name, outcome: 'leave' });

/** For ten machines. Answers come at the same moment unless they come later. */
const HABITS: readonly Habit[] = [
  { tier: 'one', answers: [yes('Alice')] },
  { tier: 'one', answers: [yes('Bob')] },
  { tier: 'one', answers: [no('Alice')] },
  { tier: 'one', answers: [yes('Alice'), no('Bob')] },
  { tier: 'one', answers: [yes('Alice'), yes('Alice')] },
  { tier: 'two', answers: [yes('Alice'), yes('Bob')] },
  { tier: 'two', answers: [yes('Alice'), yes('Alice'), yes('Bob', 1500)] },
  { tier: 'two', answers: [yes('Alice'), no('Bob')] },
  { tier: 'short', answers: [] },
  { tier: 'back', answers: [yes('Bob')] },
];

/** A habit for each machine: every one as often as any other, in an order of chance. */
export function habitsFor(count: number, chance: Random): Habit[] {
  const rounds = Array.from({ length: Math.ceil(count / HABITS.length) }, () => chance.shuffled(HABITS));
  return rounds.flat().slice(0, count);
}

/** The policy of the drill. Reminder and escalation come early, so that no outage is as long as what is left then. */
export function policyOf(expirySeconds: number, releaseSeconds: number): string {
  const remind = `${Math.ceil(expirySeconds / 6)}s`;
  const escalate = `${Math.ceil(expirySeconds / 3)}s`;
  return `
tiers:
  - { name: two, match: [{ hosts: ['*-two'] }], quorum: 2 }
  - name: short
    match: [{ hosts: ['*-short'] }]
    expires: ${expirySeconds}s
    remind: [${remind}]
    escalate: [{ after: ${escalate} }]
  - { name: back, match: [{ hosts: ['*-back'] }], release_after: ${releaseSeconds}s }
  - name: one
blast_radius: { isolations: 1000, within: 1h, fleet_percent: 100 }
`;
}
