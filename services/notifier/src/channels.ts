import type { Bus, Handler } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { html } from '@cordon/html';
import type { Logger } from '@cordon/service';
import type { Registry } from 'prom-client';
import { later } from './backoff.ts';
import type { MailSettings, SlackSettings } from './config.ts';
import { mailOnNews } from './email-handler.ts';
import { connectMailer, MailError, type Mailer } from './email.ts';
import { createJournal } from './journal.ts';
import { createLane, type Lane } from './lane.ts';
import { createNumbers } from './numbers.ts';
import type { TellOperators } from './operators.ts';
import { createPostOnce, type Lanes, tryLater } from './post-once.ts';
import { tellSlackOnNews } from './slack-handler.ts';
import { connectSlack, type Slack, SlackCallError } from './slack.ts';

/** What is told where. Operators hear through Slack, or by mail where Slack is off. */
export type Channels = {
  slack?: Handler<StoredEvent>;
  email?: Handler<StoredEvent>;
  operators?: TellOperators;
  close(): Promise<void>;
};
type Parts = { publicUrl: string; bus: Bus; log: Logger; metrics: Registry };

const OPERATORS_RETRY_MS = 60_000;

/** The channels that are configured. */
export async function connectChannels(
  settings: { slack?: SlackSettings; mail?: MailSettings },
  { publicUrl, bus, log, metrics }: Parts,
): Promise<Channels> {
  const journal = createJournal(await bus.bucket('intents'));
  const numbers = createNumbers(metrics);
  const channels: Channels = { close: async () => mailer?.close() };
  const mailer = settings.mail && connectMailer(settings.mail);
  if (mailer) {
    channels.email = mailOnNews({ mailer, log: bus.log, journal, numbers, publicUrl });
    channels.operators = operatorsByMail(mailer, log);
  }
  if (settings.slack) {
    const { reconcileWaitMs, postsPerSecond, ...account } = settings.slack;
    const slack = connectSlack({ ...account, log });
    const lanes: Lanes = {
      // Short bursts are tolerated; updates are counted apart, 50 per minute.
      posts: createLane({ burst: 4 * postsPerSecond, perSecond: postsPerSecond }),
      updates: createLane({ burst: 20, perSecond: 0.7 }),
      reads: createLane({ burst: 20, perSecond: 0.7 }),
    };
    const postOnce = createPostOnce({ slack, log: bus.log, journal, lanes, numbers, reconcileWaitMs });
    channels.slack = tellSlackOnNews({ slack, log: bus.log, postOnce, lanes, publicUrl });
    channels.operators = operatorsInSlack(slack, lanes.posts, log);
  }
  return channels;
}

/** Told at least once: where Slack's answer was lost, twice is better than never. */
function operatorsInSlack(slack: Slack, lane: Lane, log: Logger): TellOperators {
  return async (sentence) => {
    await lane.take('later');
    try {
      await slack.post({ text: sentence }, undefined);
      lane.succeeded();
    } catch (error) {
      throw error instanceof SlackCallError ? tryLater(error, lane, log) : error;
    }
  };
}

function operatorsByMail(mailer: Mailer, log: Logger): TellOperators {
  return async (sentence, id) => {
    const content = {
      subject: '[Cordon] Something needs an operator',
      text: `${sentence}\n`,
      html: String(html`<p>${sentence}</p>`),
      urgent: false,
    };
    for (const recipient of mailer.recipients) {
      try {
        await mailer.send(recipient, content, { messageId: mailer.messageId('operators', id) });
      } catch (error) {
        if (!(error instanceof MailError)) throw error;
        log.warn({ reason: error.failure.reason, recipient }, 'an operator could not be told by mail');
        if (error.failure.kind !== 'refused') throw later(OPERATORS_RETRY_MS, error.failure.reason, error);
      }
    }
  };
}
