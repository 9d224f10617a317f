import type { Handler, Operator } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { settings } from '@cordon/approval/src/config.ts';
import { ask } from '@cordon/incident';
import { loadConfig } from '@cordon/service';
import { type Act, readOnly } from './acts.ts';

const { APPROVAL_EXPIRY_MINUTES, APPROVAL_QUIET_MINUTES } = settings;

/** Whether a detection would be asked about now. */
export async function rehearseAsk(
  operator: Operator,
  env: Record<string, string | undefined>,
  acts: Act[],
): Promise<Handler<StoredEvent>> {
  const config = loadConfig({ APPROVAL_EXPIRY_MINUTES, APPROVAL_QUIET_MINUTES }, env);
  const policy = { expiryMs: config.APPROVAL_EXPIRY_MINUTES * 60_000, quietMs: config.APPROVAL_QUIET_MINUTES * 60_000 };
  const log = readOnly(await operator.log(), acts);
  return async (event) => void (await log.transact(event, (state) => ask(state, policy, new Date()), event.seq));
}

/** When the deadline of a question would be set to. */
export async function rehearseArm(_operator: Operator, _env: object, acts: Act[]): Promise<Handler<StoredEvent>> {
  return async (event) => {
    if (event.type !== 'approval.requested') return;
    acts.push({ to: 'timer', what: `incident ${event.data.incidentId} at ${event.data.expiresAt}` });
  };
}
