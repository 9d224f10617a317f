import type { StoredEvent } from '@cordon/contracts';
import type { ReceivedMail, SlackMessage } from '@cordon/sandbox';

/** What came to people more than once, by whether it is known why. */
export type Doubles = { count: number; explained: string[]; unexplained: string[] };

/** One message as its receiver saw it come, and when the log came to know. */
type Message = { what: string; copies: { at: number; answered: boolean }[]; recordedAt: number };

/** A post is timed by who takes it, and may be sent just before a kill that is noted first. */
const CLOCKS_MS = 500;

/**
 * Why each copy but the last was followed by another: the notifier was killed between that copy and its record, or the
 * receiver took it and did not say so. Anything else explains nothing.
 */
function judged(messages: Message[], deaths: readonly number[]): Doubles {
  const explained: string[] = [];
  const unexplained: string[] = [];
  for (const { what, copies, recordedAt } of messages) {
    for (const [index, { at, answered }] of copies.entries()) {
      const next = copies[index + 1];
      if (!next) continue;
      const death = deaths.find((one) => at - CLOCKS_MS < one && one < Math.min(recordedAt, next.at));
      if (!answered) explained.push(`${what}: the server took it and did not say so`);
      else if (death !== undefined)
        explained.push(`${what}: the notifier was killed ${Math.max(0, death - at)} ms after sending it`);
      else unexplained.push(`${what}, sent at ${new Date(at).toISOString()} and at ${new Date(next.at).toISOString()}`);
    }
  }
  return { count: messages.reduce((sum, { copies }) => sum + copies.length, 0), explained, unexplained };
}

/** Mails that came more than once. `deaths`: when the notifier was killed. */
export function doubledMails(
  mails: readonly ReceivedMail[],
  events: StoredEvent[],
  deaths: readonly number[],
): Doubles {
  const recorded = new Map<string, number>();
  for (const { type, time, data } of events) {
    if (type === 'notification.sent') recorded.set(`${data.reference} to ${data.target}`, Date.parse(time));
  }
  const messages = mails.map(({ messageId = '', recipients, copies }) => {
    const name = `${messageId} to ${recipients.join()}`;
    return {
      what: `mail ${name}`,
      copies: copies.map(({ at, answered }) => ({ at: Date.parse(at), answered })),
      recordedAt: recorded.get(name) ?? 0,
    };
  });
  return judged(messages, deaths);
}

/** Posts that came more than once, but for those to operators, which may. */
export function doubledPosts(
  slack: readonly SlackMessage[],
  events: StoredEvent[],
  deaths: readonly number[],
): Doubles {
  const recorded = new Map<string, number>();
  for (const { type, id, time } of events) if (type === 'notification.sent') recorded.set(id, Date.parse(time));
  const posts = slack.flatMap((root) => [root, ...root.replies]).toSorted((a, b) => a.ts.localeCompare(b.ts));
  const byId = Map.groupBy(posts, ({ metadata }) => metadata?.event_payload['notification_id']);
  const messages = [...byId].flatMap(([id, copies]) => {
    if (typeof id !== 'string') return []; // told to operators
    const told = copies.map(({ at }) => ({ at: Date.parse(at), answered: true }));
    return { what: `Slack ${id}`, copies: told, recordedAt: recorded.get(id) ?? 0 };
  });
  return { ...judged(messages, deaths), count: posts.length };
}
