import { describe, type Refusal } from '@cordon/incident';

/** Why somebody who may decide elsewhere may not decide here. */
export const OBJECTIONS = {
  not_in_group: 'You are in no group that may decide about this machine.',
  logged_on: 'Your own account was at work on this machine, so others have to decide.',
};

/** Said where the answer was about other facts than there are now. */
export const FACTS_CHANGED =
  'New facts arrived while you were deciding. Nothing was decided yet: read them below and answer again.';

/** Said of a question that somebody else put into the log. */
export const FOREIGN =
  "This question did not come from Cordon's approval service, and no yes to it counts. A no ends it. To isolate the machine, use LimaCharlie, and find out who can write to the broker.";

/** A refusal in words. `own` is true where the reader made the decision that stands. */
export function explain(refusal: Refusal, own: boolean): { code: number; message: string } {
  const late = { code: 410, message: 'Too late: the question has expired. Nothing was changed by you.' };
  const notOpen = { code: 409, message: 'This question is not open. Nothing was changed by you.' };
  switch (refusal.because) {
    case 'expired':
      return refusal.incident.question ? late : notOpen;
    case 'facts_changed':
      return { code: 409, message: FACTS_CHANGED };
    case 'already_decided': {
      const { incident } = refusal;
      if (incident.decision?.outcome === 'expired') return late;
      const winner = own ? 'You' : (incident.decision?.decidedBy?.name ?? 'Somebody else');
      const outcome = describe(incident).headline.replace(/\.$/, '');
      return { code: 409, message: `${winner} already decided: ${outcome}. This answer was not taken.` };
    }
    case 'not_in_group':
    case 'logged_on':
      return { code: 403, message: `${OBJECTIONS[refusal.because]} Nothing was changed by you.` };
    case 'passkey':
      return { code: 403, message: 'A yes has to be signed with your passkey here. Nothing was changed by you.' };
    case 'not_authentic':
      return { code: 409, message: `${FOREIGN} Nothing was changed by you.` };
    case 'already_voted':
    case 'channel':
    case 'unknown_incident':
    case 'not_releasable':
      return notOpen;
  }
  return notOpen;
}
