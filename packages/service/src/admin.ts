import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
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
  const json = 'application/json; charset=utf-8';
  const server = createServer((request, response) => {
    switch (request.url ?? '') {
      case '/livez':
        return answer(response, 200, json, '{"status":"ok"}');
      case '/readyz': {
        const problems = options.problems();
        const status = problems.length === 0 ? 'ok' : 'not ready';
        return answer(response, problems.length === 0 ? 200 : 503, json, JSON.stringify({ status, problems }));
      }
      case '/metrics':
        return void options.metrics.metrics().then(
          (text) => answer(response, 200, options.metrics.contentType, text),
          () => answer(response, 500, json, '{"status":"failed"}'),
        );
      default:
        return answer(response, 404, json, '{"status":"there are /livez, /readyz and /metrics"}');
    }
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    close: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}
