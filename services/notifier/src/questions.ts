import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoint, StoredEvent } from '@cordon/contracts';

/**
 * The team is asked within milliseconds of a detection, where there is much to do within tens of them. A message that waits
 * for that tells people all they need. An update may come minutes later, as Slack takes few of them.
 */
const ASKED_WITHIN_MS = 100;

/** Lets whoever tells of a detection wait a moment for its question. */
export interface Questions {
  arrived(event: StoredEvent): void;
  /** From now on; for one caller per machine at a time. Resolves with whether the question came. */
  expect(endpoint: Endpoint): { soon(): Promise<boolean> } & Disposable;
}

export function createQuestions(): Questions {
  const expected = new Map<string, (came: boolean) => void>();
  return {
    arrived(event) {
      if (event.type === 'approval.requested') expected.get(machineOf(event))?.(true);
    },
    expect(endpoint) {
      const machine = machineOf(endpoint);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      expected.set(machine, resolve);
      return {
        soon: () => Promise.race([promise, delay(ASKED_WITHIN_MS, false)]),
        [Symbol.dispose]: () => void expected.delete(machine),
      };
    },
  };
}

function machineOf({ tenantId, endpointId }: Endpoint): string {
  return `${tenantId}/${endpointId}`;
}
