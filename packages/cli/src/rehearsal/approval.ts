import type { Handler, Operator } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { settings } from '@cordon/approval/src/config.ts';
import { policyInForce } from '@cordon/approval/src/policy.ts';
import { ask, nextDeadline } from '@cordon/incident';
import { loadPolicy } from '@cordon/policy';
import { loadConfig } from '@cordon/service';
import { type Act, readOnly } from './acts.ts';

const { APPROVAL_EXPIRY_MINUTES, APPROVAL_QUIET_MINUTES, POLICY_FILE } = settings;

/** Whether a detection would be asked about now. */
export async function rehearseAsk(
  operator: Operator,
  env: Record<string, string | undefined>,
  acts: Act[],
): Promise<Handler<StoredEvent>> {
  const config = loadConfig({ APPROVAL_EXPIRY_MINUTES, APPROVAL_QUIET_MINUTES, POLICY_FILE }, env);
  const loaded = loadPolicy(config.POLICY_FILE);
  const policy = policyInForce(() => loaded, {
    approverGroup: env['OIDC_APPROVER_GROUP'] ?? 'the group in OIDC_APPROVER_GROUP',
    expiryMs: config.APPROVAL_EXPIRY_MINUTES * 60_000,
    quietMs: config.APPROVAL_QUIET_MINUTES * 60_000,
    mail: [],
  });
  const log = readOnly(await operator.log(), acts);
  return async (event) => {
    const now = new Date();
    await log.transact(event, (state) => ask(state, (incident) => policy.asking(incident, now), now), event.seq);
  };
}

/** When the deadline of a question would be set to. */
export async function rehearseArm(operator: Operator, _env: object, acts: Act[]): Promise<Handler<StoredEvent>> {
  const log = await operator.log();
  return async (event) => {
    if (!('incidentId' in event.data)) return;
    const { incident } = (await log.load(event, event.seq)).state;
    const at = incident?.id === event.data.incidentId ? nextDeadline(incident) : undefined;
    if (at) acts.push({ to: 'timer', what: `incident ${event.data.incidentId} at ${at.toISOString()}` });
  };
}
