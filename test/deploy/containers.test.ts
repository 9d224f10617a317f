import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GenericContainer, Network, Wait } from 'testcontainers';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const noEngine = await promisify(execFile)('docker', ['version', '--format', '{{.Server.Version}}'], {
  timeout: 10_000,
}).then(
  () => '',
  () => ' (skipped: no Docker engine answers)',
);

/** The one test that needs a Docker engine: the image that is built, beside the broker that is shipped. */
test.skipIf(noEngine)(
  `the image of ingest becomes ready beside the broker's${noEngine}`,
  async () => {
    await using network = await new Network().start();
    await using _broker = await new GenericContainer('nats:2.15.1-alpine')
      .withNetwork(network)
      .withNetworkAliases('nats')
      .withCopyFilesToContainer([{ source: `${root}deploy/nats/nats.conf`, target: '/etc/nats/nats.conf' }])
      .withCommand(['-c', '/etc/nats/nats.conf'])
      .withExposedPorts(8222)
      .withWaitStrategy(Wait.forHttp('/healthz', 8222))
      .start();
    const image = await GenericContainer.fromDockerfile(root, 'deploy/Dockerfile')
      .withBuildArgs({ SERVICE: 'ingest' })
      .build();
    await using ingest = await image
      .withNetwork(network)
      .withEnvironment({ NATS_URL: 'nats://nats:4222', LIMACHARLIE_WEBHOOK_SECRETS: 'a-secret' })
      .withExposedPorts(8080, 9080)
      .withWaitStrategy(Wait.forHttp('/readyz', 9080))
      .start();
    const webhook = await fetch(`http://${ingest.getHost()}:${ingest.getMappedPort(8080)}/webhooks/limacharlie`, {
      method: 'POST',
      body: '{}',
    });
    expect(webhook.status).toBe(401);
  },
  600_000,
);
