import { runService } from '@cordon/service';
import { settings } from './config.ts';
import { serveWebhooks } from './server.ts';

await runService({
  name: 'ingest',
  adminPort: 9080,
  settings,
  env: process.env,
  async start({ config, host, bus, log, metrics }) {
    const server = await serveWebhooks({
      bus,
      secrets: config.LIMACHARLIE_WEBHOOK_SECRETS,
      host,
      port: config.PORT,
      bodyLimitBytes: config.BODY_LIMIT_BYTES,
      log,
      metrics,
    });
    log.info({ port: server.port }, 'waiting for webhooks');
    return { close: () => server.close() };
  },
});
