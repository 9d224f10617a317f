import { CONSUMERS, eventually } from '@cordon/bus';
import { watchPolicy } from '@cordon/policy';
import { runService } from '@cordon/service';
import { Counter } from 'prom-client';
import { auditKeeper, keepSealing } from './audit.ts';
import { believedKeys, settings, slackOf } from './config.ts';
import { actOnDeadline, armOnNews, askOnNews, keepSnapshots, reportForgeries } from './handler.ts';
import { IncidentBoard } from './incident-board.ts';
import { createPasskeys } from './passkeys.ts';
import { policyInForce } from './policy.ts';
import { recordPolicy } from './record-policy.ts';
import { createServer } from './server.ts';
import { signedLog } from './signed-log.ts';
import { slackApi } from './slack-api.ts';
import { answerSlack } from './slack-decisions.ts';
import { listenOnSocket } from './slack-socket.ts';

await runService({
  name: 'approval',
  adminPort: 9081,
  settings,
  env: process.env,
  async start({ config, host, bus, log, metrics }) {
    const slack = slackOf(config);
    const record = recordPolicy(bus.log, log);
    const watched = watchPolicy(
      config.POLICY_FILE,
      (policy) => void record(policy).catch((err: unknown) => log.error({ err }, 'policy change not recorded')),
      (err) => log.error({ err }, 'the changed policy is not valid: the one before stays in force'),
    );
    await eventually(log, () => record(watched.current()));
    if (!slack && watched.current().tiers.some((tier) => tier.slack === 'buttons')) {
      log.warn({}, 'the policy lets people decide in Slack, but without Slack settings they decide on the page');
    }
    const policy = policyInForce(
      () => watched.current(),
      {
        approverGroup: config.OIDC_APPROVER_GROUP,
        expiryMs: config.APPROVAL_EXPIRY_MINUTES * 60_000,
        quietMs: config.APPROVAL_QUIET_MINUTES * 60_000,
        mail: [],
      },
      slack && config.OIDC_ISSUER,
    );
    await bus.followLog();
    const keys = believedKeys(config);
    const signed = { ...bus, log: signedLog(bus.log, config.DECISION_SIGNING_KEY, keys) };
    const audit = auditKeeper(bus.audit, await bus.bucket('bookmarks'), config.DECISION_SIGNING_KEY);
    const board = new IncidentBoard();
    const watch = await eventually(log, () => bus.log.watchIncidents((incident) => board.update(incident)));
    const decisions = new Counter({
      name: 'cordon_approvals_total',
      help: 'Decisions taken by people',
      labelNames: ['outcome'],
      registers: [metrics],
    });
    const shared = { config, incidents: signed.log, policy, log, decisions };
    const answer = slack && answerSlack({ ...shared, slack: slackApi(slack) });
    const app = await createServer({
      ...shared,
      board,
      sessions: await bus.bucket('sessions'),
      passkeys: createPasskeys(await bus.bucket('passkeys'), config.PUBLIC_URL),
      ...(answer && slack.signingSecret !== undefined && { slack: { signingSecret: slack.signingSecret, answer } }),
    });
    await app.listen({ host, port: config.PORT });
    const socket =
      answer && slack.appToken !== undefined
        ? listenOnSocket({ appToken: slack.appToken, apiUrl: slack.apiUrl, log }, answer)
        : undefined;

    return {
      consumptions: [
        ...(await Promise.all([
          bus.consumeEvents(
            CONSUMERS.ask,
            askOnNews(signed, (incident, at) => policy.asking(incident, at)),
          ),
          bus.consumeEvents(CONSUMERS.arm, reportForgeries(armOnNews(signed), keys)),
          bus.consumeDeadlines(
            CONSUMERS.expire,
            actOnDeadline(signed, () => policy.fallback()),
          ),
          bus.consumeEvents(CONSUMERS.snapshot, keepSnapshots(bus)),
          bus.consumeEvents(CONSUMERS.audit, audit.record),
        ])),
        keepSealing(audit.seal, log),
        { done: watch.done, stop: async () => watch.stop() },
      ],
      async close() {
        watched.close();
        await socket?.close();
        await app.close();
      },
    };
  },
});
