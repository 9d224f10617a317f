import { html, type Html } from '@cordon/html';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { renderSlackModal } from './slack-modal-page.ts';
import { renderSlackChannel, type SlackSeat } from './slack-page.ts';
import { SLACK_PEOPLE, type SlackPerson } from './slack-people.ts';
import type { SlackEphemeral } from './slack-interactivity.ts';
import type { Slack } from './slack.ts';
import type { SlackView } from './slack-views.ts';
import type { SlackMessage } from './slack-workspace.ts';

const MESSAGES_SHOWN = 50;

/** Slack as one person sees it. */
export type SlackScreen = {
  person: SlackPerson;
  messages: SlackMessage[];
  /** Whether Cordon hears of what is pressed. */
  isInteractive: boolean;
  troubles: ReadonlyMap<string, string>;
  ephemerals: SlackEphemeral[];
  modal: SlackView | undefined;
};

/** The person with this user name, or the first. */
export function slackPersonNamed(username: string | undefined): SlackPerson {
  return SLACK_PEOPLE.find((person) => person.username === username) ?? SLACK_PEOPLE[0];
}

export function screenOf(slack: Slack, person: SlackPerson): SlackScreen {
  const messages = slack.messages().slice(-MESSAGES_SHOWN);
  const troubles = messages.flatMap(({ ts }) => {
    const trouble = slack.trouble(person.id, ts);
    return trouble === undefined ? [] : [[ts, trouble] as const];
  });
  return {
    person,
    messages,
    isInteractive: slack.isInteractive(),
    troubles: new Map(troubles),
    ephemerals: slack.ephemerals(person.id),
    modal: slack.views(person.id)[0],
  };
}

/** Who of the workspace looks; a link for each. */
export function renderSlackPeople({ person }: SlackScreen, queryFor: (username: string) => string): Html {
  return html`<nav class="slack-people" aria-label="You are on Slack as" data-live="slack-people">
    ${SLACK_PEOPLE.map(
      ({ username, name }) =>
        html`<a href="${queryFor(username)}" ${username === person.username && html`aria-current="true"`}>${name}</a>`,
    )}
  </nav>`;
}

export function renderSlackScreen(screen: SlackScreen, query: string): Html {
  const { messages, isInteractive, troubles, ephemerals, modal } = screen;
  const seat: SlackSeat = { pressPath: `/slack/press${query}`, trouble: (ts) => troubles.get(ts), ephemerals };
  return html`<div class="newest-last">
      <div data-live="slack">
        ${renderSlackChannel(messages, 'incident-response', isInteractive ? seat : undefined)}
      </div>
    </div>
    <div data-live="slack-modal">
      ${modal && renderSlackModal(modal, { submit: `/slack/submit${query}`, dismiss: `/slack/dismiss${query}` })}
    </div>`;
}

const Press = z.object({ ts: z.string(), action_id: z.string() });
const Submission = z.looseObject({ view: z.string() }).catchall(z.string());
const FIELD = 'value.';

/** What a person does on Slack. Each is answered with `back`, where the page is. */
export function slackRoutes(
  app: FastifyInstance,
  slack: Slack,
  of: (query: unknown) => { person: SlackPerson; back: string },
): void {
  app.post('/slack/press', async (request, reply) => {
    const { person, back } = of(request.query);
    const { ts, action_id } = Press.parse(request.body);
    await slack.press(person.id, ts, action_id);
    return reply.redirect(back, 303);
  });
  app.post('/slack/submit', async (request, reply) => {
    const { person, back } = of(request.query);
    const { view, ...fields } = Submission.parse(request.body);
    const filled = Object.entries(fields).map(([name, value]) => [name.slice(FIELD.length), value] as const);
    await slack.submit(person.id, view, Object.fromEntries(filled));
    return reply.redirect(back, 303);
  });
  app.post('/slack/dismiss', (request, reply) => {
    const { person, back } = of(request.query);
    slack.dismiss(person.id);
    return reply.redirect(back, 303);
  });
}
