import { type Bus, connectBus } from '@cordon/bus';
import { startBroker } from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { COMMANDS } from './commands/index.ts';
import { run } from './run.ts';

export type Ran = { code: number; out: string; err: string };

/** For tests: runs the command as a script would, without a terminal. */
export async function cordon(
  env: Record<string, string | undefined>,
  argv: string[],
  more: { signal?: AbortSignal; answer?: string; columns?: number } = {},
): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await run(COMMANDS, argv, {
    env,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    columns: more.columns,
    isInteractive: more.answer !== undefined,
    ask: async () => more.answer ?? '',
    signal: more.signal ?? new AbortController().signal,
  });
  return { code, out, err };
}

/** For tests: a broker with Cordon's streams, a service's bus on it, and the command before it. */
export async function startLab() {
  const broker = await startBroker();
  const bus: Bus = await connectBus({ url: broker.url, name: 'lab', log: createLogger('lab', 'silent') });
  const connection = await connect({ servers: broker.url });
  const env = { NATS_URL: broker.url };
  return {
    broker,
    bus,
    env,
    jsm: await jetstreamManager(connection),
    publish: (subject: string, payload: string) => jetstream(connection).publish(subject, payload),
    cordon: (...argv: string[]) => cordon(env, argv),
    /** Runs with `--json` and reads the answer. */
    async json(...argv: string[]): Promise<{ code: number; value: unknown }> {
      const { code, out, err } = await cordon(env, [...argv, '--json']);
      if (out === '') throw new Error(err);
      const value: unknown = JSON.parse(out);
      return { code, value };
    },
    async [Symbol.asyncDispose]() {
      await bus.close();
      await connection.close();
      await broker[Symbol.asyncDispose]();
    },
  };
}
