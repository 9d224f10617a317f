import { CONSUMERS } from '@cordon/bus';
import { limaCharlie } from '@cordon/limacharlie/client';
import { protectedHosts } from '@cordon/policy';
import { runService } from '@cordon/service';
import { settings } from './config.ts';
import { executeOnDecision } from './execute.ts';
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
    const limits = {
      isProtected: protectedHosts(config.PROTECTED_HOSTS),
      decisionMaxAgeMs: config.DECISION_MAX_AGE_MINUTES * 60_000,
      dryRun: config.DRY_RUN,
    };
    const pace = {
      confirmPollMs: config.CONFIRM_POLL_SECONDS * 1000,
      offlinePollMs: config.OFFLINE_POLL_SECONDS * 1000,
      confirmTimeoutMs: config.CONFIRM_TIMEOUT_SECONDS * 1000,
    };
    log.info({ dryRun: config.DRY_RUN, protectedHosts: config.PROTECTED_HOSTS.length }, 'guards set');
    return {
      consumptions: [
        await bus.consumeEvents(CONSUMERS.execute, executeOnDecision(bus.log, edr, limits)),
        await bus.consumeEvents(CONSUMERS.watch, watchUntilConfirmed(bus.log, edr, pace)),
      ],
    };
  },
});
