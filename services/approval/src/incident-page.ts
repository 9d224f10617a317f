import type { Content } from '@cordon/html';
import { canRelease, describe, describeMoment, type Incident } from '@cordon/incident';
import { facts } from './facts.ts';
import { type Frame, page, time } from './layout.ts';
import { FOREIGN, OBJECTIONS } from './refusals.ts';
import { html, verbatim } from './visible.ts';

const SYMBOLS = { question: '?', waiting: '…', trouble: '!', contained: '✓', over: '–' } as const;

/** What the reader may do here, with the hidden fields that prove it was this page. */
export type Ability =
  | {
      role: 'approver';
      csrf: string;
      digest: string;
      objection: keyof typeof OBJECTIONS | undefined;
      /** Whether the reader's yes is counted already. */
      hasVoted: boolean;
    }
  | { role: 'viewer' };

/** What a form was sent back for, and what had been entered. */
export type Returned = { message: string; choice?: string | undefined; reason?: string | undefined };

/** The incident: what happened, the question or its outcome, and the history. */
export function incidentPage(
  frame: Omit<Frame, 'title' | 'events'>,
  incident: Incident,
  ability: Ability,
  notice?: Returned,
): string {
  const { headline } = describe(incident);
  return page(
    { ...frame, title: `${headline} - ${incident.hostname}`, events: `/approvals/${incident.id}/events` },
    html` <h1>${isOpen(incident) ? `Isolate ${incident.hostname}?` : incident.hostname}</h1>
      ${notice && html`<p class="notice" role="alert">${notice.message}</p>`} ${status(incident)}
      <section aria-labelledby="facts-title">
        <h2 id="facts-title">What happened</h2>
        ${facts(incident)}
      </section>
      ${question(incident, ability, notice)}
      <section aria-labelledby="history-title" data-live="history">
        <h2 id="history-title">History</h2>
        ${history(incident)}
      </section>
      <p class="small">
        <a href="/approvals/${incident.id}">Refresh status</a> · Incident ${incident.id.slice(0, 8)}
      </p>`,
  );
}

export function isOpen(incident: Incident): boolean {
  return incident.status === 'new' || incident.status === 'asked';
}

/** The banner: where the incident stands, in words and with a symbol, never in colour alone. */
export function status(incident: Incident): Content {
  const { headline, sentence, tone } = describe(incident);
  const deadline = incident.status === 'asked' && incident.question;
  return html`<div class="status ${tone}" role="status" data-live="status">
    <p class="headline"><span class="symbol" aria-hidden="true">${SYMBOLS[tone]}</span> ${headline}</p>
    <p>${sentence}${incident.decision?.reason && html` Reason: “${incident.decision.reason}”`}</p>
    ${deadline && html`<p>Without an answer by ${time(deadline.expiresAt, { deadline: true })} the machine stays connected.</p>`}
    ${incident.suppressedCount > 0 && html`<p>Seen ${incident.suppressedCount} more times since. Not asked about again for a while.</p>`}
  </div>`;
}

function question(incident: Incident, ability: Ability, returned: Returned | undefined): Content {
  if (incident.status === 'new') {
    return html`<section aria-labelledby="question-title" data-live="question">
      <h2 id="question-title">Your decision</h2>
      <p>The team is being asked. Refresh this page in a moment.</p>
    </section>`;
  }
  if (incident.status === 'asked') {
    return html`<section aria-labelledby="question-title" data-live="question">
      <h2 id="question-title">Your decision</h2>
      ${effect(incident)}${incident.question?.isForeign && html`<p class="notice">${FOREIGN}</p>`}${votes(incident)}${decision(incident, ability, returned)}
    </section>`;
  }
  if (!canRelease(incident)) return html`<section data-live="question"></section>`;
  const [title, why, action] = isAwaitingSensor(incident)
    ? (['Not isolated yet', 'The isolation can still be cancelled.', 'Cancel the isolation of'] as const)
    : (['The way back', 'When the machine is clean, it can be reconnected to the network.', 'Release'] as const);
  return html`<section aria-labelledby="release-title" data-live="question">
    <h2 id="release-title">${title}</h2>
    ${
      ability.role === 'approver'
        ? html`<p>${why}</p>
            <p><a class="button" href="/approvals/${incident.id}/release">${action} ${incident.hostname} …</a></p>`
        : html`<p>An approver can ${action.toLowerCase()} the machine.</p>`
    }
  </section>`;
}

/** Whether asking for the release now cancels an isolation that the sensor has not confirmed. */
export function isAwaitingSensor({ status: at }: Incident): boolean {
  return at === 'requested' || at === 'pending' || at === 'unconfirmed';
}

function decision(incident: Incident, ability: Ability, returned: Returned | undefined): Content {
  if (ability.role !== 'approver') {
    return html`<p class="notice">You can look, but deciding needs the approver role.</p>`;
  }
  if (ability.objection) return html`<p class="notice">${OBJECTIONS[ability.objection]}</p>`;
  return form(incident, ability, returned);
}

/** Who said yes so far and what is missing, where one person is not enough. */
export function votes({ question }: Incident): Content {
  if (!question || question.votesNeeded < 2) return undefined;
  const missing = question.votesNeeded - question.votes.length;
  return html`<div class="votes">
    <p>
      <strong>${question.votesNeeded} persons have to agree;</strong> one no keeps it connected. ${question.why}
    </p>
    <ol>
      ${question.votes.map((vote) => html`<li>${vote.person.name} said yes, ${time(vote.at)}${vote.reason && html`: “${vote.reason}”`}</li>`)}
      ${Array.from({ length: missing }, () => html`<li class="missing">one more yes is missing</li>`)}
    </ol>
  </div>`;
}

/** What a yes does to whom. */
export function effect(incident: Incident): Content {
  return html`<p>
      Isolation cuts <strong>${incident.hostname}</strong> off from the network, except from LimaCharlie. Whoever works
      on it or uses its services loses them at once. It can be undone.
    </p>
    ${!incident.detection.device.isolatable && html`<p class="notice">This source is not a machine that LimaCharlie can isolate: a yes will be refused.</p>`}`;
}

function form(
  incident: Incident,
  ability: { csrf: string; digest: string; hasVoted: boolean },
  returned: Returned | undefined,
): Content {
  const option = (value: 'leave' | 'isolate', label: string, hint: string): Content =>
    html`<label class="choice"
      ><input type="radio" name="choice" value="${value}" required${returned?.choice === value && html` checked`} />
      <span><strong>${label}</strong><br /><span class="small">${hint}</span></span></label
    >`;
  return html`<form method="post" action="/approvals/${incident.id}/review" autocomplete="off" class="decision">
    <input type="hidden" name="csrf" value="${ability.csrf}" /><input
      type="hidden"
      name="digest"
      value="${ability.digest}"
    />
    <fieldset>
      <legend>Isolate ${incident.hostname}?</legend>
      ${option('leave', 'No, keep it connected', 'False alarm, or too harmful to cut off.')}
      ${ability.hasVoted && html`<p class="small">Your yes is counted. You can still take it back with a no.</p>`}
      ${!ability.hasVoted && !incident.question?.isForeign && option('isolate', 'Yes, isolate it', 'Stops the attacker, and everybody else.')}
    </fieldset>
    ${reasonField(returned?.reason)}
    <button class="primary">Continue</button>
    <span class="small">You will see it once more before anything happens.</span>
  </form>`;
}

/** The reason that every decision needs. */
export function reasonField(value = ''): Content {
  return html`<label for="reason">Reason</label>
    <textarea id="reason" name="reason" rows="2" minlength="5" maxlength="500" required aria-describedby="reason-hint">
${verbatim(value)}</textarea>
    <p class="small" id="reason-hint">5 to 500 characters. The team will read it in Slack, in the mail and here.</p>`;
}

function history(incident: Incident): Content {
  const lines = incident.history.map((moment) => {
    const { what, note } = describeMoment(moment);
    return html`<li>
      ${time(moment.at)}
      <strong>${what}</strong
      >${moment.by && ` by ${moment.by}`}${note && html`<br /><span class="small">${note}</span>`}
    </li>`;
  });
  const told = [...new Set(incident.sent.map((sent) => (sent.channel === 'slack' ? 'Slack' : 'mail')))];
  return html`<ol class="history">
      ${lines}
    </ol>
    ${told.length > 0 && html`<p class="small">Told by ${told.join(' and ')}.</p>`}`;
}
