import { setTimeout as delay } from 'node:timers/promises';
import type { EndpointLog } from '@cordon/bus';
import { decide, describe, hasVoted, type Incident, isSamePerson, objectionTo, type Refusal } from '@cordon/incident';
import type { Logger } from '@cordon/service';
import type { ModalView } from '@slack/web-api';
import type { Counter } from 'prom-client';
import { currentIncident } from './access.ts';
import type { Config } from './config.ts';
import type { PolicyInForce, SlackMember } from './policy.ts';
import { explain, OBJECTIONS } from './refusals.ts';
import type { SlackApi } from './slack-api.ts';
import { type Interaction, readInteraction, type SlackUser } from './slack-interactions.ts';
import { messageModal, questionModal } from './slack-modal.ts';

export type SlackParts = {
  config: Pick<Config, 'PUBLIC_URL'>;
  incidents: EndpointLog;
  policy: PolicyInForce;
  slack: SlackApi;
  log: Logger;
  decisions: Counter<'outcome'>;
};

/** What Slack is answered with: nothing, or what becomes of the modal. */
export type Answer =
  | { response_action: 'update'; view: ModalView }
  | { response_action: 'errors'; errors: Record<string, string> }
  | undefined;
/** Answers an interaction that is known to come from Slack, within the three seconds it waits. */
export type AnswerSlack = (payload: unknown) => Promise<Answer>;

/** Slack waits three seconds; the rest is for the way there and back. */
const ANSWER_MS = 2_000;

type Open = Interaction & { kind: 'open' };
type Given = Interaction & { kind: 'answer' };

/** People decide in Slack: the button opens the question, its answer meets the same rule as one from the page. */
export function answerSlack(parts: SlackParts): AnswerSlack {
  const { config, incidents, policy, slack, log, decisions } = parts;
  const pageOf = (incidentId: string): string => `${config.PUBLIC_URL}/approvals/${incidentId}`;
  const say = (title: string, message: string, incidentId: string): ModalView =>
    messageModal(title, message, incidentId, config.PUBLIC_URL);

  async function open({ who, incidentId, triggerId, responseUrl }: Open): Promise<void> {
    const refuse = (why: string): Promise<void> => slack.whisper(responseUrl, why, pageOf(incidentId));
    const member = policy.slackMember(who);
    if (!member) return refuse(unknownTo(who, log));
    try {
      const incident = await currentIncident(incidents, incidentId);
      if (!incident) return await refuse('The incident is older than what is kept.');
      const why = closedTo(incident, member);
      if (why !== undefined) return await refuse(why);
      await slack.openModal(triggerId, questionModal(incident, config.PUBLIC_URL, hasVoted(incident, member.person)));
    } catch (error) {
      log.warn({ err: error, incidentId }, 'the question could not be opened in Slack');
      await refuse('Cordon cannot show the question here right now. Try again, or decide on the page.');
    }
  }

  /** Why the question is not opened for this person. The answer is judged again when it comes. */
  function closedTo(incident: Incident, member: SlackMember): string | undefined {
    const terms = incident.question?.terms ?? policy.fallback();
    if (incident.status !== 'asked') return `This question is not open. ${describe(incident).sentence}`;
    if (!terms.slackDecides) return 'This one is decided on the page.';
    const { person, groups } = member;
    const objection = objectionTo(incident, { groups, accounts: policy.accountsOf(person) }, terms);
    return objection && OBJECTIONS[objection];
  }

  /** The modal that an answer leads to. */
  async function take(given: Given): Promise<ModalView> {
    const { who, shown, outcome, reason } = given;
    const { incidentId } = shown;
    const member = policy.slackMember(who);
    if (!member) return say('Not possible here', unknownTo(who, log), incidentId);
    const kept = await incidents.findIncident(incidentId);
    if (!kept) return say('Not possible', 'The incident is older than what is kept.', incidentId);

    const { person, groups } = member;
    const command = {
      incidentId,
      outcome,
      person,
      groups,
      accounts: policy.accountsOf(person),
      channel: 'slack' as const,
      reason,
      factsDigest: shown.digest,
    };
    const result = await incidents.transact(kept, (state) => {
      const { incident } = state;
      // Asked anew since: what was answered then is no answer to this, however often it is sent.
      const isOther = incident?.question !== undefined && incident.question.eventId !== shown.question;
      if (isOther && incident.status === 'asked') return { refused: { because: 'facts_changed', incident } };
      return decide(state, command, policy.fallback(), new Date());
    });
    if ('refused' in result) return refused(result.refused, given, member);
    decisions.inc({ outcome });
    const [event] = result.events;
    log.info({ incidentId, outcome, subject: person.subject, channel: 'slack' }, event?.type ?? 'decided');
    if (event?.type !== 'approval.voted') {
      const what = outcome === 'isolate' ? 'to isolate' : 'not to isolate';
      return say('Decided', `Decided ${what} ${kept.hostname}. The message shows what becomes of it.`, incidentId);
    }
    const { question } = result.view.state.incident ?? {};
    const votes = (question?.votes.length ?? 0) + 1;
    return say('Your yes is counted', `${votes} of ${question?.votesNeeded} persons agree so far.`, incidentId);
  }

  function refused(refusal: Refusal, { shown, outcome, reason }: Given, { person }: SlackMember): ModalView {
    const { incidentId } = shown;
    log.info({ incidentId, because: refusal.because, subject: person.subject, channel: 'slack' }, 'decision not taken');
    if (refusal.because === 'unknown_incident') return say('Not possible', explain(refusal, false).message, incidentId);
    const { incident } = refusal;
    const { message } = explain(refusal, isSamePerson(incident.decision?.decidedBy, person));
    if (refusal.because === 'facts_changed') {
      return questionModal(incident, config.PUBLIC_URL, hasVoted(incident, person), { message, reason });
    }
    if (refusal.because === 'already_voted' && outcome === 'isolate') {
      const { votes = [], votesNeeded } = incident.question ?? {};
      return say('Your yes is counted', `${votes.length} of ${votesNeeded} persons agree so far.`, incidentId);
    }
    return say('Not taken', message, incidentId);
  }

  async function answer(given: Given): Promise<Answer> {
    const { viewId, shown } = given;
    const taken = take(given).catch((error: unknown) => {
      log.error({ err: error, incidentId: shown.incidentId }, 'an answer from Slack could not be taken');
      return say('Not known', 'Whether your answer was taken is not known. Look at the page.', shown.incidentId);
    });
    const late = new AbortController();
    const first = await Promise.race([taken, delay(ANSWER_MS, undefined, { signal: late.signal })]).finally(() =>
      late.abort(),
    );
    if (first) return { response_action: 'update', view: first };
    void taken
      .then((view) => slack.updateModal(viewId, view))
      .catch((error: unknown) => log.warn({ err: error }, 'what became of an answer could not be shown in Slack'));
    const text = 'Your answer is being taken. If this does not change within a minute, look at the page.';
    return { response_action: 'update', view: say('One moment', text, shown.incidentId) };
  }

  return async (payload) => {
    const interaction = readInteraction(payload);
    switch (interaction.kind) {
      case 'open':
        // Not waited for: Slack is answered first, and the modal follows.
        void open(interaction).catch((error: unknown) => log.warn({ err: error }, 'nobody could be answered in Slack'));
        return undefined;
      case 'incomplete':
        return { response_action: 'errors', errors: interaction.errors };
      case 'answer':
        return answer(interaction);
      case 'nothing':
        return undefined;
    }
    return undefined;
  };
}

function unknownTo({ team, user }: SlackUser, log: Logger): string {
  log.warn({ team, user }, 'somebody whom the policy does not name wanted to decide in Slack');
  return `The policy does not name you. Whoever keeps it can add ${team}/${user} to slack_users.`;
}
