import { z } from 'zod';
import { Reason } from './reason.ts';

/** Who did something in Slack, as Slack knows them. Ids are Slack's; what they are worth is policy's. */
export type SlackUser = { team: string; user: string };

/** What a modal of ours is about, kept by Slack with it: the question that was asked, and the facts that were shown. */
export const Shown = z.object({
  incidentId: z.string().regex(/^[0-9a-f]{32}$/),
  /** The event that asked: a later question about the same incident is another one. */
  question: z.string().max(255),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
});
export type Shown = z.infer<typeof Shown>;

/** What somebody wants who did something in Slack. */
export type Interaction =
  | { kind: 'open'; who: SlackUser; incidentId: string; triggerId: string; responseUrl: string }
  | { kind: 'answer'; who: SlackUser; viewId: string; shown: Shown; outcome: 'isolate' | 'leave'; reason: string }
  /** Something is missing in the modal; `errors` by block, as Slack wants them. */
  | { kind: 'incomplete'; errors: Record<string, string> }
  /** No concern of ours: a link that was followed, or something Slack has added since. */
  | { kind: 'nothing' };

/** The button of the message, and the modal that it opens. */
export const DECIDE = 'decide';
/** The inputs of the modal, by `action_id`. */
export const CHOICE = 'choice';
export const REASON = 'reason';

const Sender = z.object({
  user: z.object({ id: z.string(), team_id: z.string().optional() }),
  team: z.object({ id: z.string() }).nullish(),
});
const Press = Sender.extend({
  type: z.literal('block_actions'),
  trigger_id: z.string(),
  response_url: z.url(),
  actions: z.array(z.object({ action_id: z.string(), value: z.string().optional() })).min(1),
});
const Input = z.object({
  value: z.string().nullish(),
  selected_option: z.object({ value: z.string() }).nullish(),
});
const Submission = Sender.extend({
  type: z.literal('view_submission'),
  view: z.object({
    id: z.string(),
    callback_id: z.string(),
    private_metadata: z.string(),
    state: z.object({ values: z.record(z.string(), z.record(z.string(), Input)) }),
  }),
});
const Payload = z.union([Press, Submission]);

/** Reads a payload whose signature was verified. */
export function readInteraction(payload: unknown): Interaction {
  const parsed = Payload.safeParse(payload);
  const who = parsed.success ? slackUser(parsed.data) : undefined;
  if (!parsed.success || !who) return { kind: 'nothing' };
  return parsed.data.type === 'block_actions' ? readPress(parsed.data, who) : readSubmission(parsed.data, who);
}

/** By the user's own team: in a channel that is shared with another one, that is not the team of the channel. */
function slackUser({ user, team }: z.infer<typeof Sender>): SlackUser | undefined {
  const own = user.team_id ?? team?.id;
  return own === undefined ? undefined : { team: own, user: user.id };
}

function readPress({ actions, trigger_id, response_url }: z.infer<typeof Press>, who: SlackUser): Interaction {
  const pressed = actions.find(({ action_id }) => action_id === DECIDE);
  if (pressed?.value === undefined) return { kind: 'nothing' };
  return { kind: 'open', who, incidentId: pressed.value, triggerId: trigger_id, responseUrl: response_url };
}

function readSubmission({ view }: z.infer<typeof Submission>, who: SlackUser): Interaction {
  if (view.callback_id !== DECIDE) return { kind: 'nothing' };
  const shown = Shown.safeParse(json(view.private_metadata));
  if (!shown.success) return { kind: 'nothing' };
  const errors: Record<string, string> = {};
  const inputs = Object.entries(view.state.values).flatMap(([block, actions]) =>
    Object.entries(actions).map(([action, input]) => ({ block, action, input })),
  );
  const choice = inputs.find(({ action }) => action === CHOICE);
  const outcome = z.enum(['isolate', 'leave']).safeParse(choice?.input.selected_option?.value);
  if (!outcome.success) errors[choice?.block ?? CHOICE] = 'Choose yes or no.';
  const given = inputs.find(({ action }) => action === REASON);
  const reason = Reason.safeParse(given?.input.value ?? '');
  if (!reason.success) errors[given?.block ?? REASON] = 'Give a reason of 5 to 500 characters.';
  if (!outcome.success || !reason.success) return { kind: 'incomplete', errors };
  return {
    kind: 'answer',
    who,
    viewId: view.id,
    shown: shown.data,
    outcome: outcome.data,
    reason: reason.data,
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
