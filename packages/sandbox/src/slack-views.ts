import { randomBytes } from 'node:crypto';
import { type Modal, type ModalValues, parseModal } from './block-kit-modal.ts';
import { SLACK_TEAM } from './slack-people.ts';
import { createTickets } from './slack-tickets.ts';
import { APP, BOT, readJson, refuse, type SlackArguments, type SlackResult } from './slack-workspace.ts';

const TRIGGER_MS = 3_000;

/** A modal that somebody sees. */
export interface SlackView {
  id: string;
  /** Changes with its content. */
  hash: string;
  user: string;
  modal: Modal;
  /** What was wrong with what was filled in, by `block_id`. */
  errors: Record<string, string>;
  /** What Slack shows where the app did not answer as it should. */
  trouble?: string | undefined;
}

const newHash = (): string => `${Math.floor(Date.now() / 1_000)}.${randomBytes(4).toString('hex')}`;

/** The modals of everybody, one for each person: `views.open` and `views.update`. */
export function createViews() {
  const triggers = createTickets<string>({ lifeMs: TRIGGER_MS, uses: 1 });
  const open = new Map<string, SlackView>();

  const show = (view: SlackView, modal: Modal): void => {
    Object.assign(view, { modal, hash: newHash(), errors: {}, trouble: undefined });
  };
  const methods: Record<string, (form: SlackArguments) => SlackResult> = {
    'views.open': (form) => {
      const parsed = parseModal(readJson(form['view']));
      if (!parsed.ok) return refuse('invalid_arguments', parsed.messages);
      const trigger = triggers.redeem(form['trigger_id'] ?? '');
      if ('refused' in trigger) return refuse(REFUSED[trigger.refused]);
      const user = trigger.value;
      const id = `V0${randomBytes(5).toString('hex').toUpperCase()}`;
      const view: SlackView = { id, user, hash: newHash(), modal: parsed.modal, errors: {} };
      open.set(user, view);
      return { ok: true, view: onTheWire(view) };
    },
    'views.update': (form) => {
      const view = [...open.values()].find(({ id }) => id === form['view_id']);
      if (!view) return refuse('not_found');
      if (form['hash'] !== undefined && form['hash'] !== view.hash) return refuse('hash_conflict');
      const parsed = parseModal(readJson(form['view']));
      if (!parsed.ok) return refuse('invalid_arguments', parsed.messages);
      show(view, parsed.modal);
      return { ok: true, view: onTheWire(view) };
    },
  };

  return {
    /** Undefined where the method is no concern of a view. */
    call: (method: string, form: SlackArguments): SlackResult | undefined =>
      Object.hasOwn(methods, method) ? methods[method]?.(form) : undefined,
    /** What lets the app open a modal for this person within three seconds, once. */
    triggerFor: (user: string): string => triggers.issue(user),
    of: (user: string): SlackView[] => [open.get(user)].filter((view) => view !== undefined),
    all: (): SlackView[] => [...open.values()],
    show,
    close: (user: string): boolean => open.delete(user),
  };
}
export type SlackViews = ReturnType<typeof createViews>;

const REFUSED = {
  unknown: 'invalid_trigger_id',
  expired: 'expired_trigger_id',
  used: 'exchanged_trigger_id',
} as const;

/** As Slack sends it to the app, with what was filled in. */
export function onTheWire({ id, hash, modal }: SlackView, values: ModalValues = {}): object {
  return {
    id,
    team_id: SLACK_TEAM.id,
    private_metadata: '',
    callback_id: '',
    close: null,
    submit: null,
    clear_on_close: false,
    ...modal,
    state: { values },
    hash,
    notify_on_close: false,
    previous_view_id: null,
    root_view_id: id,
    app_id: APP,
    external_id: '',
    app_installed_team_id: SLACK_TEAM.id,
    bot_id: BOT,
  };
}
