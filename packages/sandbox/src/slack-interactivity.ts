import { z } from 'zod';
import { type Block, type Button, parseBlocks } from './block-kit.ts';
import { fillIn, inputsOf, parseModal } from './block-kit-modal.ts';
import type { Delivery } from './slack-delivery.ts';
import { SLACK_PEOPLE, SLACK_TEAM, type SlackPerson } from './slack-people.ts';
import { createTickets } from './slack-tickets.ts';
import { onTheWire, type SlackViews } from './slack-views.ts';
import { APP, type SlackWorkspace } from './slack-workspace.ts';

const RESPONSE_URL = { lifeMs: 30 * 60_000, uses: 5 };
const EPHEMERALS_KEPT = 20;

/** A message that one person sees. */
export interface SlackEphemeral {
  at: string;
  user: string;
  text: string;
  blocks: Block[];
}

/** What Slack did with a press or a submission. */
export type SlackOutcome = { ok: true } | { ok: false; error: string; errors?: Record<string, string> };

const Response = z.strictObject({
  text: z.string().min(1),
  blocks: z.array(z.unknown()).optional(),
  response_type: z.literal('ephemeral').default('ephemeral'),
  replace_original: z.literal(false).optional(),
});

const SubmissionAnswer = z.discriminatedUnion('response_action', [
  z.object({ response_action: z.literal('errors'), errors: z.record(z.string(), z.string()) }),
  z.object({ response_action: z.literal('clear') }),
  z.object({ response_action: z.literal('update'), view: z.unknown() }),
]);

/** What people do on Slack, and what comes of it for them. */
export function createInteractivity(parts: {
  workspace: SlackWorkspace;
  views: SlackViews;
  delivery: Delivery;
  channel: { id: string; name: string };
  origin: () => string;
}) {
  const { workspace, views, delivery, channel, origin } = parts;
  const responses = createTickets<string>(RESPONSE_URL);
  const troubles = new Map<string, string>();
  let ephemerals: SlackEphemeral[] = [];

  const common = ({ id, username, name }: SlackPerson) => ({
    team: SLACK_TEAM,
    user: { id, username, name, team_id: SLACK_TEAM.id },
    api_app_id: APP,
    token: 'legacy-verification-token',
    enterprise: null,
    is_enterprise_install: false,
    trigger_id: views.triggerFor(id),
  });

  return {
    /** Presses a button of a message; resolves when the app has answered, or Slack has given up on it. */
    async press(user: string, ts: string, actionId: string): Promise<SlackOutcome> {
      const message = workspace.find(ts);
      const button = message && findButton(message.blocks, actionId);
      if (!message || !button) return { ok: false, error: 'there is no such button' };
      const { type, text, value, url, style } = button.element;
      troubles.delete(`${user} ${ts}`);
      const delivered = await delivery.deliver({
        type: 'block_actions',
        ...common(personOf(user)),
        container: { type: 'message', message_ts: ts, channel_id: channel.id, is_ephemeral: false },
        channel: { id: channel.id, name: channel.name },
        message: message.wire,
        response_url: `${origin()}/actions/${SLACK_TEAM.id}/${responses.issue(user)}`,
        state: { values: {} },
        actions: [
          {
            type,
            block_id: button.blockId,
            action_id: actionId,
            action_ts: (Date.now() / 1_000).toFixed(6),
            text,
            ...(value !== undefined && { value }),
            ...(url !== undefined && { url }),
            ...(style !== undefined && { style }),
          },
        ],
      });
      if (delivered.ok) return { ok: true };
      troubles.set(`${user} ${ts}`, delivered.error);
      return delivered;
    },

    /** Submits a modal with what was filled in, by `action_id`. */
    async submit(user: string, viewId: string, filled: Record<string, string>): Promise<SlackOutcome> {
      const view = views.of(user).find(({ id }) => id === viewId);
      if (!view?.modal.submit) return { ok: false, error: 'there is nothing to submit' };
      Object.assign(view, { errors: {}, trouble: undefined });
      const form = fillIn(view.modal, filled);
      if ('errors' in form) {
        view.errors = form.errors;
        return { ok: false, error: 'not filled in', errors: form.errors };
      }
      const delivered = await delivery.deliver({
        type: 'view_submission',
        ...common(personOf(user)),
        view: onTheWire(view, form.values),
        response_urls: [],
      });
      const fail = (error: string): SlackOutcome => {
        view.trouble = error;
        return { ok: false, error };
      };
      if (!delivered.ok) return fail(delivered.error);
      if (isNothing(delivered.answer)) {
        views.close(user);
        return { ok: true };
      }
      const answer = SubmissionAnswer.safeParse(delivered.answer);
      if (!answer.success) return fail('This app answered something that Slack does not understand.');
      switch (answer.data.response_action) {
        case 'clear':
          views.close(user);
          return { ok: true };
        case 'errors': {
          const { errors } = answer.data;
          const known = new Set(inputsOf(view.modal.blocks).map(({ block_id }) => block_id));
          if (!Object.keys(errors).every((id) => known.has(id)))
            return fail('This app named a field that is not there.');
          view.errors = errors;
          return { ok: false, error: 'refused', errors };
        }
        case 'update': {
          const parsed = parseModal(answer.data.view);
          if (!parsed.ok)
            return fail(`This app answered a view that Slack does not take: ${parsed.messages.join(' ')}`);
          views.show(view, parsed.modal);
          return { ok: true };
        }
      }
      return { ok: true };
    },

    /** What the app posts to a `response_url`: Slack's status and answer. */
    respond(ticket: string, body: unknown): { status: number; answer: object } {
      const response = Response.safeParse(body);
      if (!response.success) return { status: 400, answer: { ok: false, error: 'invalid_payload' } };
      const { text, blocks: given } = response.data;
      const parsed = given === undefined ? undefined : parseBlocks(JSON.stringify(given));
      if (parsed && !parsed.ok) return { status: 400, answer: { ok: false, error: parsed.error } };
      const redeemed = responses.redeem(ticket);
      if ('refused' in redeemed) return { status: 404, answer: { ok: false, error: `${redeemed.refused}_url` } };
      const message = { at: new Date().toISOString(), user: redeemed.value, text, blocks: parsed?.blocks ?? [] };
      ephemerals = [...ephemerals, message].slice(-EPHEMERALS_KEPT);
      return { status: 200, answer: { ok: true } };
    },

    ephemerals: (user: string): SlackEphemeral[] => ephemerals.filter((message) => message.user === user),
    /** The error mark that Slack shows at a message to who pressed one of its buttons. */
    trouble: (user: string, ts: string): string | undefined => troubles.get(`${user} ${ts}`),
    version: () => [[...troubles], ephemerals],
  };
}

function personOf(user: string): SlackPerson {
  return SLACK_PEOPLE.find(({ id }) => id === user) ?? { id: user, username: user.toLowerCase(), name: user };
}

/** An answer with nothing in it closes the modal. */
function isNothing(answer: unknown): boolean {
  return answer === undefined || (typeof answer === 'object' && answer !== null && Object.keys(answer).length === 0);
}

function findButton(blocks: Block[], actionId: string): { element: Button; blockId: string } | undefined {
  for (const [index, block] of blocks.entries()) {
    const buttons =
      block.type === 'actions' ? block.elements : block.type === 'section' && block.accessory ? [block.accessory] : [];
    const element = buttons.find(({ action_id }) => action_id === actionId);
    if (element) return { element, blockId: block.block_id ?? `b${index}` };
  }
  return undefined;
}
