import type { StoredEvent } from '@cordon/contracts';
import { describeMoment } from '@cordon/incident';

/** One event on one line: what happened, who did it, and what was said about it. */
export type EventWords = { what: string; who: string; note: string };

/** An event in the words that page, Slack and mail use. They hold an attacker's strings verbatim. */
export function wordsOf(event: StoredEvent): EventWords {
  const { what } = describeMoment({ seq: event.seq, at: event.time, type: event.type, note: outcomeOf(event) });
  switch (event.type) {
    case 'detection.raised': {
      const { finding_info, device, evidences } = event.data.detection;
      return {
        what,
        who: device.hostname,
        note: [finding_info.title, evidences[0]?.process?.cmd_line].filter(Boolean).join(': '),
      };
    }
    case 'approval.decided':
      return { what, who: event.data.decidedBy?.name ?? event.data.rule ?? 'nobody', note: event.data.reason ?? '' };
    case 'approval.voted':
      return { what, who: event.data.vote.person.name, note: event.data.vote.reason ?? '' };
    case 'approval.reminded':
      return { what, who: '', note: `until ${event.data.expiresAt}` };
    case 'approval.escalated':
      return { what, who: '', note: [...event.data.to.mail, ...event.data.to.slack].join(', ') };
    case 'notification.overdue':
      return { what, who: event.data.channel, note: event.data.explanation };
    case 'policy.changed':
      return { what: 'Policy changed', who: '', note: event.data.version };
    case 'release.requested':
      return { what, who: event.data.requestedBy?.name ?? 'policy', note: event.data.reason ?? '' };
    case 'approval.requested':
      return { what, who: '', note: `until ${event.data.expiresAt}` };
    case 'notification.sent':
      return { what: 'Told', who: event.data.channel, note: `${event.data.occasion} to ${event.data.target}` };
    case 'notification.failed':
      return { what: 'Could not be told', who: event.data.channel, note: event.data.explanation };
    case 'isolation.requested':
    case 'isolation.confirmed':
    case 'release.accepted':
    case 'release.confirmed':
      return { what, who: '', note: '' };
    case 'isolation.pending':
    case 'isolation.unconfirmed':
    case 'isolation.failed':
    case 'isolation.refused':
    case 'isolation.held':
    case 'isolation.drifted':
    case 'isolation.simulated':
    case 'release.pending':
    case 'release.unconfirmed':
    case 'release.failed':
    case 'release.simulated':
      return { what, who: '', note: event.data.explanation };
  }
}

function outcomeOf(event: StoredEvent): string | undefined {
  if (event.type === 'approval.escalated') return event.data.because;
  return event.type === 'approval.decided' ? event.data.outcome : undefined;
}
