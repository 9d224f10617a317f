import { limaCharlie } from '@cordon/limacharlie/client';
import { runService } from '@cordon/service';
import { startBackfillClock } from './backfill-clock.ts';
import { createBackfill } from './backfill.ts';
import { bookmarkIn } from './bookmark.ts';
import { backfillOf, settings } from './config.ts';
import { serveWebhooks } from './server.ts';
import { createKeeper } from './store.ts';

await runService({
  name: 'ingest',
  adminPort: 9080,
  settings,
  env: process.env,
  async start({ config, host, bus, log, metrics }) {
    const gaps = backfillOf(config);
    const keeper = createKeeper({ bus, log, metrics });
    if (!gaps) log.info('gap filling is off: LIMACHARLIE_API_KEY is not set');
    const clock =
      gaps &&
      startBackfillClock({
        backfill: createBackfill({
          client: limaCharlie({ ...gaps, attempts: 1, log }), // the clock tries again, at the same page
          openBookmark: async () => bookmarkIn(await bus.bucket('bookmarks'), gaps.oid),
          keeper,
          ruleTags: gaps.ruleTags,
          log,
          metrics,
        }),
        isConnected: () => bus.isConnected(),
        timing: { slow: gaps.intervalMs },
        log,
        metrics,
      });
    const server = await serveWebhooks({
      keeper,
      secrets: config.LIMACHARLIE_WEBHOOK_SECRETS,
      host,
      port: config.PORT,
      bodyLimitBytes: config.BODY_LIMIT_BYTES,
      ...(clock && { onUnavailable: () => clock.askSoon() }),
      log,
      metrics,
    });
    log.info({ port: server.port }, 'waiting for webhooks');
    return {
      async close() {
        await server.close();
        await clock?.stop();
      },
    };
  },
});
