import { setImmediate as afterTheRest, setTimeout as delay } from 'node:timers/promises';
import type { StoredEvent } from '@cordon/contracts';

/** So long the question, the notice and the isolation take that an event causes. */
const PEOPLE_FIRST_MS = 10;

/** For what nobody waits for: leaves the processor to those who ask, tell or act on an event that has just happened. */
export async function peopleFirst({ time }: StoredEvent): Promise<void> {
  const ageMs = Date.now() - Date.parse(time);
  if (ageMs >= 0 && ageMs < PEOPLE_FIRST_MS) await delay(PEOPLE_FIRST_MS - ageMs);
  else await afterTheRest();
}
