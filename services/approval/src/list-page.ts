import { severityName } from '@cordon/contracts';
import type { Content } from '@cordon/html';
import type { Card, IncidentBoard } from './incident-board.ts';
import { type Frame, page, time } from './layout.ts';
import { html } from './visible.ts';

const WORDS: Record<Card['status'], string> = {
  new: 'Decide',
  asked: 'Decide',
  left: 'Not isolated',
  expired: 'Expired, not isolated',
  approved: 'Isolating',
  requested: 'Isolating',
  pending: 'Waiting: offline',
  unconfirmed: 'Not confirmed',
  held: 'Held: too many at once',
  contained: 'Isolated',
  drifted: 'No longer isolated',
  refused: 'Refused',
  failed: 'Failed',
  simulated: 'Dry run',
  releasing: 'Releasing',
  release_pending: 'Release waits: offline',
  release_unconfirmed: 'Release not confirmed',
  release_failed: 'Release failed',
  released: 'Released',
};

/** The front page: what waits for somebody, and what happened lately. */
export function listPage(
  frame: Omit<Frame, 'title' | 'events'>,
  { open, openCount, closed }: ReturnType<IncidentBoard['cards']>,
): string {
  const waiting = open.filter((card) => card.status === 'asked' || card.status === 'new').length;
  return page(
    { ...frame, title: waiting > 0 ? `${waiting} to decide` : 'Nothing to decide', events: '/events' },
    html`<h1>Incidents</h1>
      <section aria-labelledby="open-title" data-live="open">
        <h2 id="open-title">Open (${openCount})</h2>
        ${open.length === 0 ? html`<p>Nothing is open. When a detection arrives it shows up here, in Slack and by mail.</p>` : cards(open)}
        ${openCount > open.length && html`<p>and ${openCount - open.length} more</p>`}
      </section>
      <section aria-labelledby="closed-title" data-live="closed">
        <h2 id="closed-title">Recently closed</h2>
        ${closed.length === 0 ? html`<p>None yet.</p>` : cards(closed)}
      </section>`,
  );
}

function cards(list: Card[]): Content {
  return html`<ul class="cards">
    ${list.map(
      (card) =>
        html`<li>
          <a href="/approvals/${card.id}">
            <span class="pill ${card.status}">${WORDS[card.status]}</span>
            <strong>${card.hostname}</strong>
            <span>${card.title}</span>
            <span class="small"
              >${severityName(card.severityId)} · ${card.detectionCount}
              ${card.detectionCount === 1 ? 'detection' : 'detections'} ·
              ${time(card.openedAt)}${card.status === 'asked' && card.expiresAt && html` · answer by ${time(card.expiresAt, { deadline: true })}`}</span
            >
          </a>
        </li>`,
    )}
  </ul>`;
}
