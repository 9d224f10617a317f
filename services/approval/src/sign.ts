import type { KeyObject } from 'node:crypto';
import { signEvent } from '@cordon/contracts';
import type { Decision } from '@cordon/incident';

/** Signs what the executor acts on: it believes nobody else. */
export type Sign = (decision: Decision) => Decision;

/** Signs with the key that approval alone holds. */
export function signWith(key: KeyObject): Sign {
  return (decision) =>
    'refused' in decision
      ? decision
      : {
          events: decision.events.map((event) =>
            event.type === 'approval.decided' || event.type === 'release.requested' ? signEvent(event, key) : event,
          ),
        };
}
