import { CONSUMERS } from '@cordon/bus';
import { runService } from '@cordon/service';
import { Counter } from 'prom-client';
import { settings } from './config.ts';
import { armOnRequest, askOnDetection, expireOnDeadline, keepSnapshots } from './handler.ts';
import { IncidentBoard } from './incident-board.ts';
import { createServer } from './server.ts';

await runService({
  name: 'approval',
  adminPort: 9081,
  settings,
  env: process.env,
  async start({ config, host, bus, log, metrics }) {
    const policy = {
      expiryMs: config.APPROVAL_EXPIRY_MINUTES * 60_000,
      quietMs: config.APPROVAL_QUIET_MINUTES * 60_000,
    };
    const board = new IncidentBoard();
    const watch = await bus.log.watchIncidents((incident) => board.update(incident));
    const decisions = new Counter({
      name: 'cordon_approvals_total',
      help: 'Decisions taken by people on the page',
      labelNames: ['outcome'],
      registers: [metrics],
    });
    const app = await createServer({
      config,
      incidents: bus.log,
      board,
      sessions: await bus.bucket('sessions'),
      policy,
      log,
      decisions,
    });
    await app.listen({ host, port: config.PORT });

    return {
      consumptions: [
        await bus.consumeEvents(CONSUMERS.ask, askOnDetection(bus, policy)),
        await bus.consumeEvents(CONSUMERS.arm, armOnRequest(bus)),
        await bus.consumeDeadlines(CONSUMERS.expire, expireOnDeadline(bus, policy)),
        await bus.consumeEvents(CONSUMERS.snapshot, keepSnapshots(bus)),
        { done: watch.done, stop: async () => watch.stop() },
      ],
      close: () => app.close(),
    };
  },
});
