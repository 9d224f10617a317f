import type { Incident, Status } from './state.ts';

/** How a status should feel: a question to answer, something to wait for, trouble, contained, or over. */
export type Tone = 'question' | 'waiting' | 'trouble' | 'contained' | 'over';

/** What a status means to a person: a few words, a sentence, and how it should feel. */
export type Description = { headline: string; sentence: string; tone: Tone };

/**
 * The one place where a status is put into words, so that page, Slack and mail never disagree. "Isolated" is said only
 * where the sensor itself reported it. The words are plain text and contain vendor and attacker strings verbatim.
 */
export function describe(incident: Incident): Description {
  const host = incident.hostname;
  const who = incident.decision?.decidedBy?.name ?? 'Somebody';
  const releaser = incident.release?.requestedBy?.name;
  const explanation = incident.problem?.explanation ?? '';
  switch (incident.status) {
    case 'new':
    case 'asked':
      return { headline: 'Waiting for a decision', sentence: waiting(incident), tone: 'question' };
    case 'left':
      return {
        headline: 'Machine not isolated.',
        sentence: `${who} decided to leave ${host} connected.`,
        tone: 'over',
      };
    case 'expired':
      return {
        headline: 'Machine not isolated: nobody decided in time',
        sentence: `The question about ${host} expired. The machine is still connected.`,
        tone: 'trouble',
      };
    case 'approved':
      return {
        headline: 'Isolation decided',
        sentence: `${deciders(incident)} decided to isolate ${host}. LimaCharlie has not been told yet.`,
        tone: 'waiting',
      };
    case 'requested':
      return {
        headline: 'Isolation requested',
        sentence: `LimaCharlie accepted the request of ${deciders(incident)}. Waiting for the sensor on ${host} to confirm.`,
        tone: 'waiting',
      };
    case 'pending':
      return { headline: 'Isolation pending: machine offline', sentence: explanation, tone: 'trouble' };
    case 'unconfirmed':
      return { headline: 'Isolation not confirmed', sentence: explanation, tone: 'trouble' };
    case 'contained':
      return {
        headline: 'Machine isolated',
        sentence: `The sensor on ${host} reports: isolated from the network.${explanation && ` ${explanation}`}`,
        tone: 'contained',
      };
    case 'held':
      return { headline: 'Isolation held: too many at once', sentence: explanation, tone: 'trouble' };
    case 'drifted':
      return { headline: 'No longer isolated', sentence: explanation, tone: 'trouble' };
    case 'refused':
      return { headline: 'Machine not isolated: refused', sentence: explanation, tone: 'trouble' };
    case 'failed':
      return { headline: 'Machine not isolated: failed', sentence: explanation, tone: 'trouble' };
    case 'simulated':
      return { headline: 'Machine not isolated: dry run', sentence: explanation, tone: 'trouble' };
    case 'releasing':
      return {
        headline: 'Release requested',
        sentence: `${releaser === undefined ? `The time of isolation is over: ${host} is being reconnected.` : `${releaser} asked to reconnect ${host}.`} Waiting for the sensor to confirm; it may still be isolated.`,
        tone: 'waiting',
      };
    case 'release_pending':
      return { headline: 'Release pending: machine offline', sentence: explanation, tone: 'trouble' };
    case 'release_unconfirmed':
      return { headline: 'Release not confirmed', sentence: explanation, tone: 'trouble' };
    case 'release_failed':
      return { headline: 'Release failed', sentence: explanation, tone: 'trouble' };
    case 'released':
      return {
        headline: 'Machine released',
        sentence: `The sensor on ${host} reports: connected to the network.`,
        tone: 'over',
      };
  }
}

/** What is missing until the question is answered. */
function waiting({ hostname, question }: Incident): string {
  const votes = question?.votes ?? [];
  const needed = question?.votesNeeded ?? 1;
  const ask = `Isolate ${hostname}?`;
  if (votes.length === 0) {
    return needed > 1
      ? `${ask} ${needed} persons have to agree. Nobody has decided yet.`
      : `${ask} Nobody has decided yet.`;
  }
  const names = listOf(votes.map((vote) => vote.person.name));
  const missing = needed - votes.length;
  return `${ask} ${names} said yes, ${missing} more ${missing === 1 ? 'person has' : 'persons have'} to agree. One no keeps it connected.`;
}

/** Who decided to isolate. */
function deciders(incident: Incident): string {
  return decidersOf(incident) ?? 'Somebody';
}

/** Who decided: everybody who agreed, who said no, or the policy's rule. Nothing where nobody did. */
export function decidersOf({ decision }: Incident): string | undefined {
  if (decision?.rule !== undefined) return `The policy's rule “${decision.rule}”`;
  const votes = decision?.outcome === 'isolate' ? (decision.votes ?? []) : [];
  return votes.length > 0 ? listOf(votes.map((vote) => vote.person.name)) : decision?.decidedBy?.name;
}

function listOf(names: string[]): string {
  return [names.slice(0, -1).join(', '), names.at(-1)].filter(Boolean).join(' and ');
}

const MOMENTS: Record<string, string> = {
  'detection.raised': 'Detected',
  'approval.requested': 'Team asked',
  'approval.voted': 'Said yes; more persons have to agree',
  'approval.reminded': 'Reminded: not decided yet',
  'approval.escalated': 'Escalated',
  'approval.decided': 'Decided',
  'isolation.requested': 'LimaCharlie accepted the isolation',
  'isolation.pending': 'Isolation waits: machine offline',
  'isolation.unconfirmed': 'Isolation not confirmed in time',
  'isolation.confirmed': 'Sensor reports isolated',
  'isolation.failed': 'Isolation failed',
  'isolation.refused': 'Isolation refused',
  'isolation.held': 'Isolation held: too many at once',
  'isolation.drifted': 'Sensor no longer reports isolated',
  'isolation.simulated': 'Dry run: LimaCharlie not called',
  'release.requested': 'Release asked for',
  'release.accepted': 'LimaCharlie accepted the release',
  'release.pending': 'Release waits: machine offline',
  'release.unconfirmed': 'Release not confirmed in time',
  'release.confirmed': 'Sensor reports connected',
  'release.failed': 'Release failed',
  'release.simulated': 'Dry run: LimaCharlie not called',
};
const OUTCOMES: Record<string, string> = {
  isolate: 'Decided: isolate',
  leave: 'Decided: do not isolate',
  expired: 'Nobody decided in time',
};

const OVERDUE: Record<string, string> = {
  slack: 'Slack did not take the question in time: asked by mail',
  email: 'Mail did not take the question in time: asked in Slack',
};

/** One line of history in words. */
export function describeMoment(moment: Incident['history'][number]): { what: string; note?: string | undefined } {
  if (moment.type === 'approval.escalated') {
    return {
      what: moment.note === 'expired' ? 'Escalated: the question expired' : 'Escalated: not decided yet',
    };
  }
  if (moment.type === 'notification.overdue') return { what: OVERDUE[moment.note ?? ''] ?? 'A channel failed' };
  if (moment.type === 'approval.decided') return { what: OUTCOMES[moment.note ?? ''] ?? 'Decided' };
  return { what: MOMENTS[moment.type] ?? moment.type, note: moment.note };
}

/** The state of the machine as far as the sensor reported it: never more. */
export function connectionOf(status: Status): 'connected' | 'isolated' | 'unknown' {
  if (status === 'contained' || status === 'releasing' || status.startsWith('release_')) return 'isolated';
  return ['requested', 'unconfirmed', 'pending'].includes(status) ? 'unknown' : 'connected';
}
