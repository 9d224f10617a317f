import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endWithParent } from './end-with-parent.ts';

export const SERVICES = ['ingest', 'approval', 'isolation-executor', 'notifier'] as const;
export type ServiceName = (typeof SERVICES)[number];
/**
 * As in deploy/Dockerfile. At most 8 MB for short-lived objects: twice that saves no more time, and takes 40 MB under load.
 * One thread beside the main one: with V8's usual four, each collection takes the processor from all the other services.
 */
export const NODE_FLAGS = ['--max-semi-space-size=8', '--v8-pool-size=1'];
/**
 * As in deploy/Dockerfile. What was read and written goes back to the system at once; glibc would keep 50 MB of it, and at
 * 32768 three more with each load.
 */
export const ALLOCATION = { MALLOC_MMAP_THRESHOLD_: '2048' };

/** A service as a process of its own, run exactly as in production: `node`, these flags, `services/<name>/src/main.js`, and variables. */
export interface ServiceProcess extends AsyncDisposable {
  readonly name: ServiceName;
  readonly adminUrl: string;
  /** Of the process running now, undefined while none is. */
  readonly pid: number | undefined;
  /** The last lines it wrote. */
  output(): string;
  start(): Promise<void>;
  /** SIGTERM, and SIGKILL where that does not end it in 20 s. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash. */
  kill(): Promise<void>;
  /** Resolves when it is ready to work. Throws with its output where it ends or takes longer than `withinMs`. */
  ready(withinMs?: number): Promise<void>;
  onExit(listener: (code: number | null, signal: NodeJS.Signals | null) => void): void;
}

export type ServiceOptions = {
  name: ServiceName;
  env: Record<string, string>;
  /** Where its log goes, beside the tail kept in memory. */
  logFile?: string;
};

const TAIL = 64_000;

export async function startService({ name, env, logFile }: ServiceOptions): Promise<ServiceProcess> {
  const main = fileURLToPath(new URL(`../../../services/${name}/src/main.js`, import.meta.url));
  const adminPort = env['ADMIN_PORT'] ?? String(await freePort());
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const file: WriteStream | undefined = logFile ? createWriteStream(logFile, { flags: 'a' }) : undefined;
  const listeners: Parameters<ServiceProcess['onExit']>[0][] = [];
  let child: ChildProcess | undefined;
  let tail = '';

  const keep = (chunk: Buffer): void => {
    tail = (tail + chunk.toString('utf8')).slice(-TAIL);
    file?.write(chunk);
  };
  const isRunning = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;

  const service: ServiceProcess = {
    name,
    adminUrl,
    get pid() {
      return isRunning() ? child?.pid : undefined;
    },
    output: () => tail,
    onExit: (listener) => void listeners.push(listener),

    async start() {
      if (isRunning()) return;
      // Detached: Ctrl+C goes to the whole process group, and services are stopped in order by whoever started them.
      const started = spawn(process.execPath, [...NODE_FLAGS, main], {
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', ...ALLOCATION, ...env, ADMIN_PORT: adminPort },
      });
      child = started;
      started.stdout.on('data', keep);
      started.stderr.on('data', keep);
      const watcher = endWithParent(started);
      started.once('exit', (code, signal) => {
        watcher.forget();
        for (const listener of listeners) listener(code, signal);
      });
      await once(started, 'spawn');
    },

    async stop() {
      await end('SIGTERM');
    },
    async kill() {
      await end('SIGKILL');
    },

    async ready(withinMs = 20_000) {
      const deadline = Date.now() + withinMs;
      while (!(await answersReady(adminUrl))) {
        if (!isRunning()) throw new Error(`${name} ended:\n${tail.slice(-4000)}`);
        if (Date.now() > deadline) throw new Error(`${name} is not ready after ${withinMs} ms:\n${tail.slice(-4000)}`);
        await delay(20);
      }
    },

    async [Symbol.asyncDispose]() {
      await end('SIGTERM');
      file?.end();
    },
  };

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    if (!ending || !isRunning()) return;
    const exited = once(ending, 'exit');
    ending.kill(signal);
    const insist = setTimeout(() => ending.kill('SIGKILL'), 20_000);
    await exited;
    clearTimeout(insist);
  }

  await service.start();
  return service;
}

async function answersReady(adminUrl: string): Promise<boolean> {
  try {
    const response = await fetch(`${adminUrl}/readyz`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Whether nobody listens on a TCP port of loopback. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) {
    server.close();
    await once(server, 'close');
  }
  return free;
}

/** A TCP port on loopback that is free right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return address.port;
}
