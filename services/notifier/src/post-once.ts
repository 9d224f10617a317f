import type { EndpointLog, MessageLog } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import { later } from './backoff.ts';
import { attempt, type Journal, journalKey, type Kept } from './journal.ts';
import type { Lane, Priority } from './lane.ts';
import type { Numbers } from './numbers.ts';
import { type About, FIRST, recordFailed, recordSent, slackNotificationId } from './record.ts';
import { type Slack, SLACK_TIMEOUT_MS, SlackCallError, type SlackContent, type SlackMark } from './slack.ts';

export type Post = {
  incident: Incident;
  occasion: string;
  /** When it happened. */
  at: string;
  /** Asked for when it is its turn, so that it shows what happened meanwhile. Must not fail: the post has begun then. */
  content: () => SlackContent | Promise<SlackContent>;
  threadTs?: string;
  priority: Priority;
};
/** Where it stands (`fresh`: since now), or why Slack will never take it (`fresh`: said now). */
export type Posted = { ts: string; fresh: boolean } | { refused: string; fresh: boolean };
export type PostOnce = (post: Post, event: StoredEvent, log: MessageLog) => Promise<Posted>;

/** Rate limits are per method: a slow look-up must not delay a first message. */
export type Lanes = { posts: Lane; updates: Lane; reads: Lane };
type Parts = {
  slack: Slack;
  log: EndpointLog;
  journal: Journal;
  lanes: Lanes;
  numbers: Numbers;
  reconcileWaitMs: number;
};

/** A process that just began is probably about to finish. */
const IN_FLIGHT_MS = 1500;
const MISCONFIGURED_PAUSE_MS = 30_000;

/**
 * Posts a message exactly once although Slack knows no idempotency key: what is about to be posted is written down first,
 * and where an answer is missing the channel is searched for the message before it is posted again.
 */
export function createPostOnce({ slack, log: endpointLog, journal, lanes, numbers, reconcileWaitMs }: Parts): PostOnce {
  return async ({ incident, occasion, at, content, threadTs, priority }, event, log) => {
    const about: About = { incident, channel: 'slack', occasion, target: slack.channel };
    const sent = incident.sent.find((entry) => entry.channel === 'slack' && entry.occasion === occasion);
    if (sent) return { ts: sent.reference, fresh: false };

    const key = journalKey('slack', incident.id, occasion);
    const mark: SlackMark = { notificationId: slackNotificationId(incident.id, occasion), incidentId: incident.id };
    await lanes.posts.take(priority);
    const [shown, begun] = await Promise.all([content(), journal.begin(key, attempt(1))]);
    let mine = begun;
    if (!mine) {
      lanes.posts.giveBack();
      const kept = await journal.find(key);
      if (!kept) throw later(IN_FLIGHT_MS, 'another process just gave up posting this');
      if (kept.entry.reference !== undefined) return { ts: kept.entry.reference, fresh: false };
      const { refused } = kept.entry;
      if (refused && occasion !== FIRST && refused.seq !== event.seq) return { refused: refused.reason, fresh: false };

      const found = refused ? undefined : await lookFor(kept, mark, threadTs, log);
      if (found !== undefined) {
        await settle(kept, found);
        numbers.count('slack', 'adopted');
        log.info({ incidentId: incident.id, occasion }, 'found in Slack, not posted again');
        return { ts: found, fresh: false };
      }
      await lanes.posts.take(priority);
      mine = await journal.replace(key, kept, attempt(kept.entry.attempt + 1));
      if (!mine) throw later(IN_FLIGHT_MS, 'another process is posting this');
    }

    let ts: string;
    try {
      ts = await slack.post(shown, mark, threadTs);
    } catch (error) {
      if (!(error instanceof SlackCallError)) throw error;
      const { failure } = error;
      if (failure.kind === 'refused') {
        await recordFailed(endpointLog, about, event, `Slack refused the message: ${failure.reason}`);
        await journal.settle(key, { ...mine.entry, refused: { reason: failure.reason, seq: event.seq } });
        numbers.count('slack', 'refused');
        return { refused: failure.reason, fresh: true };
      }
      if (failure.kind === 'unknown') {
        await journal.replace(key, mine, { ...mine.entry, unknownSince: new Date().toISOString() });
      } else await journal.forget(key, mine);
      numbers.count('slack', 'delayed');
      throw tryLater(error, lanes.posts, log);
    }
    lanes.posts.succeeded();
    await settle(mine, ts);
    numbers.sent('slack', at);
    log.info({ incidentId: incident.id, occasion }, 'posted to Slack');
    return { ts, fresh: true };

    /** The log first: a reference in the journal means here that the log has it. */
    async function settle({ entry }: Kept, reference: string): Promise<void> {
      await recordSent(endpointLog, about, reference);
      await journal.settle(key, { ...entry, reference });
    }
  };

  /** Throws `RetryLaterError` until it is certain that the message is not about to appear. */
  async function lookFor(
    { entry }: Kept,
    mark: SlackMark,
    threadTs: string | undefined,
    log: MessageLog,
  ): Promise<string | undefined> {
    const startedAt = Date.parse(entry.startedAt);
    const endedAt = entry.unknownSince === undefined ? startedAt + SLACK_TIMEOUT_MS : Date.parse(entry.unknownSince);
    if (entry.unknownSince === undefined && Date.now() < startedAt + IN_FLIGHT_MS) {
      throw later(IN_FLIGHT_MS, 'perhaps another process is posting this');
    }
    await lanes.reads.take('first');
    let found: string | undefined;
    try {
      found = await slack.find(mark, { from: new Date(startedAt), to: new Date(endedAt) }, threadTs);
      lanes.reads.succeeded();
    } catch (error) {
      if (!(error instanceof SlackCallError)) throw error;
      if (error.failure.kind !== 'misconfigured' && error.failure.kind !== 'refused')
        throw tryLater(error, lanes.reads, log);
      // An app that may not read can still post: rather twice than not at all.
      log.error(
        { reason: error.failure.reason, fix: 'fix' in error.failure ? error.failure.fix : undefined },
        'cannot search Slack',
      );
    }
    const waitMs = endedAt + reconcileWaitMs - Date.now();
    if (found === undefined && waitMs > 0) throw later(waitMs, 'Slack may still show this message');
    return found;
  }
}

/** Pauses the lane and says when to come back. For every failure but a refusal, which waiting does not change. */
export function tryLater(error: SlackCallError, lane: Lane, log: MessageLog): Error {
  const { failure } = error;
  if (failure.kind === 'misconfigured') {
    log.error({ reason: failure.reason, fix: failure.fix }, 'Slack cannot be used until this is fixed');
    return later(lane.failed(MISCONFIGURED_PAUSE_MS), failure.reason, error);
  }
  const delayMs = lane.failed('retryAfterMs' in failure ? failure.retryAfterMs : undefined);
  log.warn({ reason: failure.reason, outcome: failure.kind, delayMs }, 'Slack did not take a call');
  return later(delayMs, failure.reason, error);
}
