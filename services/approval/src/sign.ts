import type { KeyObject } from 'node:crypto';
import { hasToBeSigned, signEvent } from '@cordon/contracts';
import type { Decision } from '@cordon/incident';

/** Signs with the key that approval alone holds. */
export function signWith(key: KeyObject): (decision: Decision) => Decision {
  return (decision) =>
    'refused' in decision
      ? decision
      : { events: decision.events.map((event) => (hasToBeSigned(event) ? signEvent(event, key) : event)) };
}
