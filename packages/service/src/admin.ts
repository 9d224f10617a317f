import { fastify } from 'fastify';
import { collectDefaultMetrics, Registry } from 'prom-client';

export type Admin = {
  /** The port it listens on. */
  port: number;
  close(): Promise<void>;
};

/** A registry of its own per process, with Node's default metrics and the service's name as a label. */
export function createMetrics(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return registry;
}

/**
 * Serves `/livez` (the process answers), `/readyz` (503 with the reasons while `isReady` names any) and `/metrics` on a
 * port of its own, which is not for the public.
 */
export async function serveAdmin(options: {
  host: string;
  port: number;
  metrics: Registry;
  /** Why the service cannot work right now; empty when it can. */
  problems(): string[];
}): Promise<Admin> {
  const app = fastify({ logger: false });
  app.get('/livez', () => ({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const problems = options.problems();
    return reply.code(problems.length === 0 ? 200 : 503).send({ status: problems.length === 0 ? 'ok' : 'not ready', problems });
  });
  app.get('/metrics', async (_request, reply) => reply.type(options.metrics.contentType).send(await options.metrics.metrics()));
  await app.listen({ host: options.host, port: options.port });
  const address = app.server.address();
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    close: () => app.close(),
  };
}
