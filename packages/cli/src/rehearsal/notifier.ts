import type { Handler, Operator } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { settings } from '@cordon/notifier/src/config.ts';
import { mailOnNews } from '@cordon/notifier/src/email-handler.ts';
import type { Entry, Journal, Kept } from '@cordon/notifier/src/journal.ts';
import { createLane } from '@cordon/notifier/src/lane.ts';
import { createNumbers } from '@cordon/notifier/src/numbers.ts';
import { createPostOnce, type Lanes } from '@cordon/notifier/src/post-once.ts';
import { tellSlackOnNews } from '@cordon/notifier/src/slack-handler.ts';
import { loadConfig } from '@cordon/service';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { type Act, readOnly } from './acts.ts';

/** Nothing is really sent, so nothing has to wait its turn. */
const lane = () => createLane({ burst: 1e9, perSecond: 1e9 });

type Env = Record<string, string | undefined>;
const PLACEHOLDER_URL = 'https://cordon.invalid';

/** The notifier's own handler for Slack, on a Slack that only notes. */
export async function rehearseSlack(operator: Operator, env: Env, acts: Act[]): Promise<Handler<StoredEvent>> {
  const channel = env['SLACK_CHANNEL'] || 'the channel';
  let count = 0;
  const slack = {
    channel,
    async post({ text }: { text: string }, _mark: unknown, threadTs?: string) {
      acts.push({ to: 'Slack', what: `${threadTs === undefined ? 'post to' : 'reply in'} ${channel}: ${text}` });
      return `rehearsed.${++count}`;
    },
    async update(_ts: string, { text }: { text: string }) {
      acts.push({ to: 'Slack', what: `update in ${channel}: ${text}` });
    },
    find: async () => undefined,
  };
  const lanes: Lanes = { posts: lane(), updates: lane(), reads: lane() };
  const log = readOnly(await operator.log(), acts);
  const parts = { slack, log, lanes, journal: journalOver(operator), numbers: createNumbers(new Registry()) };
  const postOnce = createPostOnce({ ...parts, reconcileWaitMs: 0 });
  return tellSlackOnNews({ ...parts, postOnce, publicUrl: env['PUBLIC_URL'] ?? PLACEHOLDER_URL });
}

/** The notifier's own handler for mail, on a mail server that only notes. */
export async function rehearseMail(operator: Operator, env: Env, acts: Act[]): Promise<Handler<StoredEvent>> {
  const { EMAIL_TO } = loadConfig({ EMAIL_TO: settings.EMAIL_TO }, env);
  const mailer = {
    recipients: EMAIL_TO ?? ['(EMAIL_TO is not set)'],
    async send(to: string, { subject }: { subject: string }, { messageId }: { messageId: string }) {
      acts.push({ to: 'mail', what: `to ${to}: ${subject}` });
      return messageId;
    },
    messageId: (...parts: string[]) => `<${parts.join('.')}@cordon.invalid>`,
    close: () => {},
  };
  return mailOnNews({
    mailer,
    log: readOnly(await operator.log(), acts),
    journal: journalOver(operator),
    numbers: createNumbers(new Registry()),
    publicUrl: env['PUBLIC_URL'] ?? PLACEHOLDER_URL,
  });
}

const KeptEntry = z.object({
  startedAt: z.string(),
  attempt: z.number(),
  unknownSince: z.string().optional(),
  reference: z.string().optional(),
  refused: z.object({ reason: z.string(), seq: z.number() }).optional(),
});

/** What was really noted, and over it what would be noted now. */
function journalOver(operator: Operator): Journal {
  const noted = new Map<string, Kept | undefined>();
  const note = (key: string, entry: Entry, revision: number): Kept => {
    const kept = { entry, revision };
    noted.set(key, kept);
    return kept;
  };
  async function find(key: string): Promise<Kept | undefined> {
    if (noted.has(key)) return noted.get(key);
    const found = await operator.bucketValue('intents', key);
    if (!found) return undefined;
    const { unknownSince, reference, refused, ...entry } = KeptEntry.parse(JSON.parse(found.text));
    const more = {
      ...(unknownSince && { unknownSince }),
      ...(reference && { reference }),
      ...(refused && { refused }),
    };
    return { entry: { ...entry, ...more }, revision: found.revision };
  }
  return {
    find,
    begin: async (key, entry) => ((await find(key)) ? undefined : note(key, entry, 0)),
    replace: async (key, kept, entry) => note(key, entry, kept.revision),
    async settle(key, entry) {
      note(key, entry, 0);
    },
    async forget(key) {
      noted.set(key, undefined);
    },
  };
}
