import { spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endWithParent } from './end-with-parent.ts';
import { findNatsServer } from './find-nats-server.ts';

/** A running nats-server with JetStream. `kill` and `restart` exist so that tests can take it away. */
export interface Broker extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly monitorUrl: string;
  /** Of the process running now, undefined while none is. */
  readonly pid: number | undefined;
  /** SIGKILL, as a crash; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts again on the same port and store; a broker still running is stopped first. */
  restart(): Promise<void>;
  /** Stops in order and keeps the store, so that `restart` finds everything. */
  stop(): Promise<void>;
}

export interface BrokerOptions {
  /** Kept when the broker is disposed of. Without it a temporary folder is used and removed. */
  storeDir?: string;
  /** -1 takes a free one. */
  port?: number;
  host?: string;
  /** Added to the generated configuration file. */
  configExtra?: string;
}

/** Starts a nats-server as a child process, which ends when this process does. Resolves when it accepts connections. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const { storeDir, port: wantedPort = -1, host = '127.0.0.1', configExtra = '' } = options;
  const program = await findNatsServer();
  const temporaryDir = await mkdtemp(join(tmpdir(), 'cordon-broker-'));
  const store = storeDir ?? join(temporaryDir, 'store');
  await mkdir(store, { recursive: true });

  const serverName = `cordon-${randomUUID()}`;
  let running: Running | undefined;
  const start = async (port: number, monitorPort: number): Promise<void> => {
    const configFile = join(temporaryDir, 'nats.conf');
    await writeFile(
      configFile,
      [
        `server_name: ${serverName}`,
        `listen: ${JSON.stringify(`${host}:${port}`)}`,
        `http: ${JSON.stringify(`${host}:${monitorPort}`)}`,
        'max_payload: 8MB',
        `jetstream { store_dir: ${JSON.stringify(store)} }`,
        configExtra,
      ].join('\n'),
    );
    running = await launch(program, configFile, temporaryDir, { host, port, serverName });
  };

  const removeTemporary = (): Promise<void> => rm(temporaryDir, { recursive: true, force: true, maxRetries: 3 });
  const ports = await startOnFreePorts(start, wantedPort, host).catch(async (err: unknown) => {
    await removeTemporary();
    throw err;
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await running?.end(signal);
    running = undefined;
  };
  return {
    url: `nats://${host}:${ports.port}`,
    port: ports.port,
    monitorUrl: `http://${host}:${ports.monitorPort}`,
    get pid() {
      return running?.pid;
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    restart: async () => {
      await end('SIGTERM');
      await start(ports.port, ports.monitorPort);
    },
    [Symbol.asyncDispose]: async () => {
      await end('SIGTERM');
      await removeTemporary();
    },
  };
}

/** Another process may take a port between the look and the start: then the next one is tried. */
async function startOnFreePorts(
  start: (port: number, monitorPort: number) => Promise<void>,
  wantedPort: number,
  host: string,
): Promise<{ port: number; monitorPort: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = wantedPort === -1 ? await freePort(host) : wantedPort;
    const monitorPort = await freePort(host);
    try {
      await start(port, monitorPort);
      return { port, monitorPort };
    } catch (err) {
      const retriable = err instanceof PortTakenError && (wantedPort === -1 || err.port !== wantedPort);
      if (!retriable || attempt === 5) throw err;
    }
  }
}

/**
 * Below the range from which systems hand out ports to clients: while a broker is down, a client that keeps trying its
 * port would otherwise now and then be given that very port, connect to itself, and keep the broker from returning.
 */
async function freePort(host: string): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, host, () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
  readonly port: number;
  constructor(port: number, log: string) {
    super(`port ${port} is taken:\n${log}`);
    this.port = port;
  }
}

/**
 * As in deploy/. Go would collect whenever its heap has doubled, every few seconds on a broker that keeps a million events,
 * and half a processor with it for a tenth of a second.
 */
export const BROKER_ENV = { GOGC: '400', GOMEMLIMIT: '400MiB' };

interface Running {
  pid: number | undefined;
  end(signal: NodeJS.Signals): Promise<void>;
}

async function launch(
  program: string,
  configFile: string,
  temporaryDir: string,
  at: { host: string; port: number; serverName: string },
): Promise<Running> {
  // Detached: Ctrl+C goes to the whole process group, and the broker has to outlive the services that drain into it.
  const child = spawn(program, ['-c', configFile], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: { ...process.env, ...BROKER_ENV },
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  let log = '';
  child.on('error', (err) => (log += err.message));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4_000)));
  const watcher = endWithParent(child, temporaryDir);
  child.once('exit', () => watcher.forget()); // its process id may soon be somebody else's
  const isRunning = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null;

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (isRunning()) child.kill(signal);
    const insist = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await exited;
    clearTimeout(insist);
  };

  const deadline = Date.now() + 30_000;
  while (!(await greets(at))) {
    if (isRunning() && Date.now() < deadline) {
      await Promise.race([delay(20), exited]);
      continue;
    }
    await end('SIGKILL');
    const taken = /address already in use/.test(log);
    const takenPort = Number(/:(\d+): bind: address already in use/.exec(log)?.[1] ?? at.port);
    throw taken ? new PortTakenError(takenPort, log) : new Error(`nats-server did not start:\n${log}`);
  }
  return { pid: child.pid, end };
}

/** NATS greets whoever connects, with its name: a stranger on the port is not taken for ours. */
function greets({ host, port, serverName }: { host: string; port: number; serverName: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let greeting = '';
    const settle = (ready: boolean): void => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(2_000, () => settle(false));
    socket.once('error', () => settle(false)).once('close', () => settle(false));
    socket.setEncoding('utf8').on('data', (text: string) => {
      greeting += text;
      if (greeting.includes('\r\n')) settle(greeting.includes(serverName));
    });
  });
}
