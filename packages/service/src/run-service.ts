import { setFlagsFromString } from 'node:v8';
import { type Bus, connectBus, type Consumption } from '@cordon/bus';
import closeWithGrace from 'close-with-grace';
import { Counter, type Registry } from 'prom-client';
import type { z } from 'zod';
import { createMetrics, serveAdmin } from './admin.ts';
import { commonSettings, ConfigurationError, loadConfig } from './config.ts';
import { giveBackMemoryWhenQuiet } from './give-back-memory.ts';
import { createLogger, type Logger } from './logger.ts';

export type Running = {
  /** Stopped first: what is in hand is finished and acknowledged. */
  consumptions?: Consumption[];
  /** Stops what feeds the service from outside. */
  close?(): Promise<void>;
  /** Why it cannot work right now, beside the broker. */
  problems?(): string[];
};
export type Service<Shape extends z.ZodRawShape> = {
  name: string;
  /** The default of ADMIN_PORT. */
  adminPort: number;
  /** The service's own settings, beside the common ones. */
  settings: Shape;
  env: Record<string, string | undefined>;
  start: (parts: {
    config: z.output<z.ZodObject<Shape>>;
    host: string;
    bus: Bus;
    log: Logger;
    metrics: Registry;
  }) => Promise<Running>;
};

const GRACE_MS = 15_000;

/**
 * The life of a process: settings, log, admin port, broker, work, and on SIGTERM or SIGINT the way back in order. A
 * process that cannot work exits with 1, for its supervisor to start again; bad settings are all named first.
 */
export async function runService<Shape extends z.ZodRawShape>({
  name,
  adminPort,
  settings,
  env,
  start,
}: Service<Shape>): Promise<void> {
  const { common, config } = readSettings(name, commonSettings(adminPort), settings, env);
  const log = createLogger(name, common.LOG_LEVEL);
  const metrics = createMetrics(name);
  const handled = new Counter({
    name: 'cordon_messages_total',
    help: 'Messages taken from a consumer, by what became of them',
    labelNames: ['consumer', 'outcome'],
    registers: [metrics],
  });
  let bus: Bus | undefined;
  let running: Running | undefined;
  const admin = await serveAdmin({
    host: common.HOST,
    port: common.ADMIN_PORT,
    metrics,
    problems: () => [
      ...(bus?.isConnected() ? [] : ['no connection to the broker (NATS_URL)']),
      ...(running ? (running.problems?.() ?? []) : ['starting']),
    ],
  });

  closeWithGrace({ delay: GRACE_MS, logger: false }, async ({ err, signal }) => {
    if (err) log.fatal({ err }, 'crashed');
    else log.info({ signal }, 'stopping');
    await Promise.all((running?.consumptions ?? []).map((consumption) => consumption.stop()));
    await running?.close?.();
    await bus?.close();
    await admin.close();
  });

  const connection = await connectBus({
    url: common.NATS_URL,
    name,
    log,
    replicas: common.NATS_REPLICAS,
    onHandled: (consumer, outcome) => handled.inc({ consumer, outcome }),
  });
  bus = connection;
  running = await start({ config, host: common.HOST, bus: connection, log, metrics }).catch((error: unknown) => {
    if (!(error instanceof ConfigurationError)) throw error;
    return refuse(name, [error.message]);
  });
  log.info({ adminPort: admin.port }, 'started');
  setFlagsFromString('--semi-space-growth-factor=2'); // what `lean` held back: collecting every few ms costs a fifth
  giveBackMemoryWhenQuiet();

  const ended = await Promise.race([
    connection.closed,
    ...(running.consumptions ?? []).map((consumption) => consumption.done),
  ]);
  if (ended instanceof Error) throw ended; // uncaught on purpose: the handler above logs it and exits with 1
}

function readSettings<Common extends z.ZodRawShape, Own extends z.ZodRawShape>(
  name: string,
  commonShape: Common,
  ownShape: Own,
  env: Record<string, string | undefined>,
): { common: z.output<z.ZodObject<Common>>; config: z.output<z.ZodObject<Own>> } {
  const common = attempt(() => loadConfig(commonShape, env));
  const config = attempt(() => loadConfig(ownShape, env));
  if (!('fault' in common) && !('fault' in config)) return { common: common.value, config: config.value };
  const faults = [common, config].map((result) => ('fault' in result ? result.fault : '')).filter(Boolean);
  return refuse(name, faults);
}

function refuse(name: string, faults: string[]): never {
  process.stderr.write(`${name}: bad configuration\n${faults.join('\n')}\n`);
  process.exit(1);
}

function attempt<T>(read: () => T): { value: T } | { fault: string } {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { fault: error.message };
  }
}
