import { setTimeout as delay } from 'node:timers/promises';
import { type EndpointLog, type Handler, type MessageLog, PermanentError } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import { later } from './backoff.ts';
import { findIncident, isLongOver } from './find-incident.ts';
import { callOf, newsOf } from './moments.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { type Lanes, type PostOnce, tryLater } from './post-once.ts';
import { createProgress, newestComes } from './progress.ts';
import { createQuestions } from './questions.ts';
import { FIRST, slackNotificationId } from './record.ts';
import { renderIncident, renderNews } from './render-slack.ts';
import { type Slack, SlackCallError } from './slack.ts';

type Parts = { slack: Slack; log: EndpointLog; postOnce: PostOnce; lanes: Lanes; publicUrl: string };

const UPDATE_PAUSE_MS = 2000;
/** A decision is acted on within milliseconds: the machine goes first, and one look then tells Slack of both. */
const ACTED_ON_WITHIN_MS = 25;
/** A long thread is written in several turns, so that newer events of the machine get theirs. */
const REPLIES_PER_TURN = 4;

/**
 * Brings Slack to where the incident stands, whichever event was the reason: its message exists, the thread holds
 * everything that happened in the order in which it happened, and the message shows the present. So events may come late,
 * twice or in any order, and a storm of them costs no more posts than there is news.
 */
export function tellSlackOnNews({ slack, log: endpointLog, postOnce, lanes, publicUrl }: Parts): Handler<StoredEvent> {
  const inTurn = oneAtATime();
  const progress = createProgress();
  const questions = createQuestions();
  endpointLog.listen((event) => questions.arrived(event)); // a look into the log then has it: with its delivery here, not yet

  return async (event, { log, redelivered }) => {
    if (progress.covers(event, redelivered)) return;
    if (event.type === 'approval.decided' && !redelivered) await delay(ACTED_ON_WITHIN_MS);
    await inTurn(`${event.tenantId}/${event.endpointId}`, async () => {
      if (progress.covers(event, redelivered)) return;
      using question = questions.expect(event); // before the look into the log, so that it cannot come unseen
      let incident = await findIncident(endpointLog, event);
      if (!incident || isLongOver(incident, event, log)) return;

      const opened = incident;
      const root = await postOnce(
        {
          incident: opened,
          occasion: FIRST,
          at: opened.openedAt,
          content: async () => {
            // As it stands when it is its turn: of many, one has waited for long.
            incident = await latest(event, opened);
            if (incident.status === 'new' && (await question.soon())) incident = await latest(event, opened);
            return renderIncident(incident, publicUrl);
          },
          priority: 'first',
        },
        event,
        log,
      );
      if ('refused' in root) throw new PermanentError(`Slack refused the message of the incident: ${root.refused}`);
      if (root.fresh) progress.note(incident, { message: incident.lastSeq });

      // Status before thread. Where the update has to wait, the thread does not wait with it.
      const trouble = await bringUpToDate(incident, root.ts, event, redelivered, log).then(
        () => undefined,
        (error: unknown) => error ?? new Error('failed'),
      );
      await continueThread(incident, root.ts, event, log);
      if (trouble !== undefined) throw trouble;
    });
  };

  async function latest(event: StoredEvent, known: Incident): Promise<Incident> {
    return (await findIncident(endpointLog, event).catch(() => undefined)) ?? known;
  }

  async function bringUpToDate(
    incident: Incident,
    ts: string,
    event: StoredEvent,
    redelivered: boolean,
    log: MessageLog,
  ): Promise<void> {
    const reached = progress.of(incident);
    if (reached.message >= incident.lastSeq) return;
    // The event behind the newest news does it. One that comes back does it as well: perhaps it was to be the newest.
    if (!redelivered && event.seq < incident.lastSeq && newestComes(incident)) return;
    const waitMs = reached.updatedAt + UPDATE_PAUSE_MS - Date.now();
    if (waitMs > 0) throw later(waitMs, 'the message was just updated');

    await lanes.updates.take('later');
    try {
      const mark = { notificationId: slackNotificationId(incident.id, FIRST), incidentId: incident.id };
      await slack.update(ts, renderIncident(incident, publicUrl), mark);
      lanes.updates.succeeded();
    } catch (error) {
      if (!(error instanceof SlackCallError)) throw error;
      const { failure } = error;
      if (failure.kind !== 'refused') throw tryLater(error, lanes.updates, log);
      if (failure.reason !== 'message_not_found')
        throw new PermanentError(`Slack refused the update: ${failure.reason}`);
      log.warn({ incidentId: incident.id }, 'somebody deleted the message of the incident');
    }
    progress.note(incident, { message: incident.lastSeq, updatedAt: Date.now() });
    // Another process may have shown something newer meanwhile, which this update then hid.
    const now = await findIncident(endpointLog, event);
    if (now && now.id === incident.id && now.lastSeq > incident.lastSeq)
      throw later(UPDATE_PAUSE_MS, 'there is more news');
  }

  async function continueThread(
    incident: Incident,
    threadTs: string,
    event: StoredEvent,
    log: MessageLog,
  ): Promise<void> {
    const refusals: string[] = [];
    let isWhole = true;
    let posted = 0;
    for (const news of newsOf(incident)) {
      const { occasion, at } = news;
      const isLoud = news.kind === 'moment' && callOf(incident, news.moment).loud;
      const content = () => renderNews(incident, news);
      const reply = await postOnce(
        { incident, occasion, at, content, threadTs, priority: isLoud ? 'first' : 'later' },
        event,
        log,
      );
      if ('refused' in reply) {
        isWhole = false;
        if (reply.fresh) refusals.push(`${occasion}: ${reply.refused}`);
      } else if (reply.fresh && ++posted === REPLIES_PER_TURN) throw later(100, 'the thread goes on');
    }
    if (refusals.length > 0) throw new PermanentError(`Slack refused to take a reply: ${refusals.join(', ')}`);
    if (isWhole) progress.note(incident, { thread: incident.lastSeq });
  }
}
