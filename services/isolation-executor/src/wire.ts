import { CONSUMERS } from '@cordon/bus';
import { limaCharlie } from '@cordon/limacharlie/client';
import { type Machine, protectedBy, protectedHosts, watchPolicy } from '@cordon/policy';
import { runService } from '@cordon/service';
import { createBlastRadius } from './blast-radius.ts';
import { settings } from './config.ts';
import { watchForDrift } from './drift.ts';
import { executeOnDecision } from './execute.ts';
import { fleetCounter } from './fleet.ts';
import { watchUntilConfirmed } from './watch.ts';

await runService({
  name: 'isolation-executor',
  adminPort: 9082,
  settings,
  env: process.env,
  async start({ config, bus, log }) {
    const edr = limaCharlie({
      apiUrl: config.LIMACHARLIE_API_URL,
      jwtUrl: config.LIMACHARLIE_JWT_URL,
      oid: config.LIMACHARLIE_OID,
      apiKey: config.LIMACHARLIE_API_KEY,
      log,
    });
    const policy = watchPolicy(
      config.POLICY_FILE,
      ({ version }) => log.info({ version }, 'another policy is in force'),
      (error) => log.error({ err: error }, 'the changed policy is not valid: the one before stays in force'),
    );
    const isProtected = protectedHosts(config.PROTECTED_HOSTS);
    const guards = {
      authority: () => ({
        keys: config.DECISION_PUBLIC_KEYS,
        policy: policy.current(),
        tenantId: config.LIMACHARLIE_OID,
        maxAgeMs: config.DECISION_MAX_AGE_MINUTES * 60_000,
      }),
      limits: {
        protectedBy: (machine: Machine) =>
          isProtected(machine.hostname) ? 'PROTECTED_HOSTS' : protectedBy(policy.current(), machine),
        dryRun: config.DRY_RUN,
      },
      blastRadius: createBlastRadius(
        await bus.bucket('guards'),
        () => policy.current().blast_radius,
        fleetCounter(edr, log),
      ),
    };
    const pace = {
      confirmPollMs: config.CONFIRM_POLL_SECONDS * 1000,
      offlinePollMs: config.OFFLINE_POLL_SECONDS * 1000,
      confirmTimeoutMs: config.CONFIRM_TIMEOUT_SECONDS * 1000,
    };
    const confirmation = watchUntilConfirmed(bus.log, edr, pace);
    const drift = watchForDrift(bus.log, edr, config.DRIFT_POLL_SECONDS * 1000);
    log.info({ dryRun: config.DRY_RUN, protectedHosts: config.PROTECTED_HOSTS.length }, 'guards set');
    return {
      consumptions: [
        await bus.consumeEvents(CONSUMERS.execute, executeOnDecision(bus.log, edr, guards)),
        await bus.consumeEvents(CONSUMERS.watch, (event, context) =>
          event.type === 'isolation.confirmed' ? drift(event, context) : confirmation(event, context),
        ),
      ],
      close: async () => policy.close(),
    };
  },
});
