import type { Handler, Operator } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { settings } from '@cordon/approval/src/config.ts';
import { armOnNews } from '@cordon/approval/src/handler.ts';
import { policyInForce } from '@cordon/approval/src/policy.ts';
import { ask } from '@cordon/incident';
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

/** The timers of a question, which would only be noted. */
export async function rehearseArm(operator: Operator, _env: object, acts: Act[]): Promise<Handler<StoredEvent>> {
  return armOnNews({
    log: await operator.log(),
    async arm(kind, { incidentId }, at) {
      acts.push({ to: 'timer', what: `${kind} of incident ${incidentId} at ${at.toISOString()}` });
    },
  });
}
