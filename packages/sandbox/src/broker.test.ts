import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { startBroker, type Broker } from './broker.ts';
import { findNatsServer } from './find-nats-server.ts';

async function connectTo(broker: Broker): Promise<NatsConnection & AsyncDisposable> {
  const connection = await connect({ servers: broker.url });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

async function store(broker: Broker, text: string): Promise<void> {
  await using connection = await connectTo(broker);
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'KEPT', subjects: ['kept'] });
  await jetstream(connection).publish('kept', text);
}

async function stored(broker: Broker): Promise<string | undefined> {
  await using connection = await connectTo(broker);
  const manager = await jetstreamManager(connection);
  return (await manager.streams.getMessage('KEPT', { last_by_subj: 'kept' }))?.string();
}

test('keeps what was acknowledged when it is killed, on the same port', async () => {
  await using broker = await startBroker();
  await store(broker, 'acknowledged');
  const { url, pid } = broker;

  await broker.kill();
  expect(broker.pid).toBeUndefined();
  await expect(connect({ servers: url, reconnect: false })).rejects.toThrow('connection refused');

  await broker.restart();
  expect(broker.url).toBe(url);
  expect(broker.pid).not.toBe(pid);
  expect(await stored(broker)).toBe('acknowledged');
});

test('keeps a store folder it was given and removes one it made', async () => {
  const storeDir = await mkdtemp(join(tmpdir(), 'cordon-store-'));
  try {
    {
      await using broker = await startBroker({ storeDir });
      await store(broker, 'first life');
    }
    await using broker = await startBroker({ storeDir });
    expect(await stored(broker)).toBe('first life');
  } finally {
    await rm(storeDir, { recursive: true });
  }
});

test('takes messages of 8 MB, extra configuration, and tells its state over HTTP', async () => {
  await using broker = await startBroker({ configExtra: 'accounts { SYS { users: [] } }' });
  await using connection = await connectTo(broker);
  expect(connection.info?.max_payload).toBe(8 * 1024 * 1024);
  const health = await fetch(`${broker.monitorUrl}/healthz`);
  expect(await health.json()).toEqual({ status: 'ok' });
});

test('says why it did not start', async () => {
  await expect(startBroker({ configExtra: 'no_such_option: 1' })).rejects.toThrow(/no_such_option/);
});

test('refuses a port that is taken instead of moving elsewhere', async () => {
  await using broker = await startBroker();
  await expect(startBroker({ port: broker.port })).rejects.toThrow(`port ${broker.port} is taken`);
});

test.skipIf(process.platform === 'win32')(
  'ends, and cleans up, when the process that started it is killed',
  async () => {
    const program = `
    const { startBroker } = await import(process.argv[1]);
    const broker = await startBroker();
    console.log(broker.pid);
    setInterval(() => {}, 1_000);`;
    const folder = await mkdtemp(join(tmpdir(), 'cordon-killed-'));
    const brokerModule = new URL('broker.ts', import.meta.url).href;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program, brokerModule], {
      env: { ...process.env, TMPDIR: folder },
    });
    const [line]: unknown[] = await once(parent.stdout, 'data');
    const pid = Number(String(line));
    expect(isAlive(pid)).toBe(true);

    expect(await readdir(folder)).toHaveLength(1);

    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => readdir(folder), { timeout: 10_000 }).toEqual([]);
    await rm(folder, { recursive: true });
  },
);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a broker named in the environment is used, and never replaced when it is unusable', async () => {
  const program = await findNatsServer();
  const folder = await mkdtemp(join(tmpdir(), 'cordon-no-broker-'));
  try {
    expect(await findNatsServer(folder, { NATS_SERVER_BIN: program })).toBe(program);
    await expect(findNatsServer(folder, { NATS_SERVER_BIN: join(folder, 'missing') })).rejects.toThrow(
      /NATS_SERVER_BIN=.*missing cannot be used/,
    );
    const old = join(folder, 'nats-server');
    await writeFile(old, '#!/bin/sh\necho "nats-server: v2.9.10"\n', { mode: 0o755 });
    await expect(findNatsServer(folder, { NATS_SERVER_BIN: old })).rejects.toThrow('version 2.9 is too old');
  } finally {
    await rm(folder, { recursive: true });
  }
});
