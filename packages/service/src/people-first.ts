import { setImmediate as afterTheRest, setTimeout as delay } from 'node:timers/promises';

/** So long the question, the notice and the isolation take that an event causes, mostly much less. */
const PEOPLE_FIRST_MS = 25;
/** A turn of the event loop that takes longer had more to do than one event. */
const BUSY_TURN_MS = 2;
const LOOK_AGAIN_MS = 5;
const PATIENCE_MS = 500;

/**
 * For what nobody waits for: leaves the processor to those who ask, tell or act on an event that has just happened, and
 * where much happens at once, to those about the others. After half a second it is its turn.
 */
export async function peopleFirst({ time }: { time: string }): Promise<void> {
  const age = (): number => Date.now() - Date.parse(time);
  if (age() >= 0 && age() < PEOPLE_FIRST_MS) await delay(PEOPLE_FIRST_MS - age());
  while ((await turnMs()) > BUSY_TURN_MS && age() >= 0 && age() < PATIENCE_MS) await delay(LOOK_AGAIN_MS);
}

async function turnMs(): Promise<number> {
  const start = performance.now();
  await afterTheRest();
  return performance.now() - start;
}
