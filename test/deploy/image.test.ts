import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { glob, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ALLOCATION, type Broker, freePort, NODE_FLAGS, startBroker } from '@cordon/sandbox';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { buildImage, DOCKERFILE, type Image } from './build-image.ts';
import { environmentOf, readCompose } from './read-compose.ts';
import { EXAMPLE, readText, ROOT, SECRETS, SERVICES } from './services.ts';

const run = promisify(execFile);
const Manifest = z.object({
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
  scripts: z.record(z.string(), z.string()).default({}),
});
const manifestOf = (folder: string) => Manifest.parse(JSON.parse(readText(`${folder}package.json`)));

const noEngine = await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 }).then(
  () => undefined,
  (error: unknown) =>
    error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'no docker' : 'no engine answers',
);

describe('the Dockerfile', () => {
  test('has no fault that its grammar shows', () => {
    expect(validate(DOCKERFILE)).toEqual([]);
  });

  test('has the Node and the pnpm of the repository, both named exactly', () => {
    const { devDependencies, scripts } = manifestOf('');
    const bases = [...DOCKERFILE.matchAll(/^FROM (\w+:\S+)/gm)].map(([, image]) => image);
    expect(new Set(bases)).toEqual(new Set([`node:${devDependencies['node']}-slim`]));
    expect(scripts['setup']).toContain(/npm install --global (\S+)/.exec(DOCKERFILE)?.[1]);
  });
});

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker[Symbol.asyncDispose]());

describe.each(SERVICES)('the image of $name', (service) => {
  let image: Image;
  let app: string;
  beforeAll(async () => {
    image = await buildImage(service.name);
    app = join(image.root, 'app');
  }, 240_000);
  afterAll(async () => {
    await image?.[Symbol.asyncDispose]();
  });

  test('runs as somebody who is not root, by number', () => {
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  test('runs as it does in the tests', () => {
    expect(image.command).toEqual(['node', ...NODE_FLAGS, 'src/main.js']);
    expect(image.env).toMatchObject(ALLOCATION);
  });

  test('listens for others, on the ports it exposes', () => {
    expect(image.env).toMatchObject({ HOST: '0.0.0.0', NODE_ENV: 'production', ADMIN_PORT: String(service.adminPort) });
    expect(image.exposed).toEqual([service.port, service.adminPort].filter((port) => port !== undefined));
  });

  test('holds the packages it reaches and no others', async () => {
    expect(await readdir(join(app, 'services'))).toEqual([service.name]);
    expect((await readdir(join(app, 'packages'))).sort()).toEqual(packagesOf(`services/${service.name}/`).sort());
  });

  test('holds nothing that is only needed for developing', async () => {
    const installed = (await readdir(join(app, 'node_modules/.pnpm'))).map((name) =>
      name.replace(/(.)@.*/, '$1').replace('+', '/'),
    );
    expect(installed).toContain('zod');
    const needed = [
      `services/${service.name}/`,
      ...packagesOf(`services/${service.name}/`).map((name) => `packages/${name}/`),
    ];
    const declared = needed.flatMap((folder) => Object.keys(manifestOf(folder).dependencies));
    const tools = Object.keys(manifestOf('').devDependencies).filter((name) => !name.startsWith('@types/')); // some vendors need those
    const lab = Object.keys(manifestOf('packages/sandbox/').dependencies);
    expect(installed.filter((name) => [...tools, ...lab].includes(name) && !declared.includes(name))).toEqual([]);
    expect((await ownFiles(app)).filter((file) => /\.test\.ts$|fixtures/.test(file))).toEqual([]);
  });

  test('names what is wrong with its settings: so every import was found', async () => {
    const { code, output } = await start(image, { NATS_URL: 'http://nowhere' }).ended;
    expect(output).toContain(`${service.name}: bad configuration`);
    expect(output).toContain('NATS_URL: must be nats://');
    expect(code).toBe(1);
  });

  test('with what compose.yaml gives it, is ready and healthy without writing a file, and stops when told to', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cordon-run-'));
    try {
      const port = await freePort();
      const file = join(folder, 'file');
      await writeFile(file, '');
      for (const [name, value] of Object.entries(SECRETS)) await writeFile(join(folder, name), `${value}\n`);
      const process = start(image, {
        ...composeEnvironment(service.name, folder),
        NATS_URL: broker.url,
        HOST: '127.0.0.1',
        PORT: String(await freePort()),
        ADMIN_PORT: String(port),
        // Where nothing can be written, as in a container whose file system is read-only.
        HOME: join(file, 'home'),
        TMPDIR: join(file, 'tmp'),
      });
      const before = await ownFiles(app);
      const statusOf = async (path: string) =>
        (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.status;
      await expect.poll(() => statusOf('/readyz'), { timeout: 25_000, message: process.output() }).toBe(200);

      const [, ...healthCheck] = image.healthCheck;
      await run(processPath(image), healthCheck, { env: { ADMIN_PORT: String(port) } });
      await expect(run(processPath(image), healthCheck, { env: { ADMIN_PORT: '1' } })).rejects.toMatchObject({
        code: 1,
      });

      process.stop();
      expect(await process.ended).toMatchObject({ code: 0 });
      expect(await ownFiles(app)).toEqual(before);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);

  test.skipIf(noEngine)(
    `is built by Docker${noEngine ? ` (skipped: ${noEngine})` : ''}`,
    async () => {
      const tag = `cordon-test/${service.name}:test`;
      await run(
        'docker',
        ['build', '--file', 'deploy/Dockerfile', '--build-arg', `SERVICE=${service.name}`, '--tag', tag, '.'],
        { cwd: ROOT },
      );
      try {
        const flags = ['--rm', '--read-only', '--cap-drop=ALL', '--network=none', '--env', 'NATS_URL=http://nowhere'];
        await expect(run('docker', ['run', ...flags, tag])).rejects.toMatchObject({
          code: 1,
          stderr: expect.stringContaining(`${service.name}: bad configuration`),
        });
      } finally {
        await run('docker', ['image', 'rm', '--force', tag]);
      }
    },
    600_000,
  );
});

/** The folders below packages/ that a package or service depends on, directly or not. */
function packagesOf(folder: string, found = new Set<string>()): string[] {
  for (const name of Object.keys(manifestOf(folder).dependencies)) {
    const own = /^@cordon\/(.+)$/.exec(name)?.[1];
    if (!own || found.has(own)) continue;
    found.add(own);
    packagesOf(`packages/${own}/`, found);
  }
  return [...found];
}

/** Everything in the image but what others wrote. */
async function ownFiles(app: string): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob('**', { cwd: app, exclude: (path) => path.endsWith('node_modules') })) files.push(file);
  return files;
}

function composeEnvironment(name: string, secretsFolder: string): Record<string, string> {
  const container = readCompose(EXAMPLE).services[name];
  if (!container) throw new Error(`compose.yaml has no ${name}`);
  const env = Object.entries(environmentOf(container, secretsFolder));
  return Object.fromEntries(
    env.map(([key, value]) => [
      key,
      value.startsWith(secretsFolder) ? join(secretsFolder, key.replace(/_FILE$/, '')) : value,
    ]),
  );
}

const processPath = (image: Image): string => {
  if (image.healthCheck[0] !== 'node' || image.command[0] !== 'node')
    throw new Error('starts something other than node');
  return process.execPath;
};

/** Starts what the image starts, with nothing in its environment but what is given. */
function start(image: Image, env: Record<string, string>) {
  const cwd = join(image.root, image.workingDir);
  if (!existsSync(cwd)) throw new Error(`the image has no ${image.workingDir}`);
  const child = spawn(processPath(image), image.command.slice(1), {
    cwd,
    env: { ...image.env, ...env },
    timeout: 50_000,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([code]: unknown[]) => ({ code, output }));
  return { ended, output: () => output, stop: () => child.kill('SIGTERM') };
}
