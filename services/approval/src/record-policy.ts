import type { EndpointLog } from '@cordon/bus';
import { eventId, POLICY_LOG, PolicyChanged } from '@cordon/contracts';
import type { Policy } from '@cordon/policy';
import type { Logger } from '@cordon/service';

/** Puts a policy that is another than the last one into the log, whole: what was in force when can be told for ever. */
export function recordPolicy(
  log: Pick<EndpointLog, 'lastPolicy' | 'append'>,
  logger: Logger,
): (policy: Policy) => Promise<void> {
  return async (policy) => {
    const last = await log.lastPolicy();
    if (last?.data.version === policy.version) return;
    // The one before is part of the id: a policy that comes back is a change too.
    const id = eventId('policy.changed', last?.id ?? '', policy.version);
    const before = last?.data.version;
    const data = { version: policy.version, ...(before !== undefined && { before }), text: policy.text };
    await log.append(
      PolicyChanged.create({ id, source: '/cordon/approval', at: new Date(), endpoint: POLICY_LOG, data }),
    );
    logger.info({ version: policy.version, before }, 'another policy is in force');
  };
}
