import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { startLimaCharlie } from '@cordon/sandbox';
import { limaCharlie, type LimaCharlieOptions } from './client.ts';

/** For tests: the organisation and its one machine. */
export const oid = '8cbe27f4-1111-4111-8111-138cd51389cd';
export const sid = 'bb4b30af-3333-4333-8333-f014ada33345';

/** For tests: a stand-in with one Windows machine, a client for it, and every line the client logged. */
export async function startLab(
  options: Partial<Parameters<typeof startLimaCharlie>[0]> = {},
  own: Partial<LimaCharlieOptions> = {},
) {
  const apiKey = randomUUID();
  const sandbox = await startLimaCharlie({
    oid,
    apiKey,
    sensors: [{ sid, hostname: 'WORKSTATION-01' }],
    isolationLagMs: 10,
    ...options,
  });
  const lines: unknown[] = [];
  const client = limaCharlie({
    apiUrl: sandbox.apiUrl,
    jwtUrl: sandbox.jwtUrl,
    oid,
    apiKey,
    attempts: 2,
    log: { warn: (...line) => void lines.push(line) },
    ...own,
  });
  const close = () => sandbox.close();
  return { sandbox, client, apiKey, lines, [Symbol.asyncDispose]: close };
}

/** For tests: a server that answers as it is told, for what the stand-in would never say. */
export async function answering(listener: RequestListener) {
  const server = createServer((request, response) => {
    if (request.url !== '/jwt') return listener(request, response);
    request.resume();
    return response.end('{"jwt":"a.b.c"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('not listening');
  const apiUrl = `http://127.0.0.1:${address.port}`;
  const log = { warn: () => undefined };
  const client = limaCharlie({ apiUrl, jwtUrl: `${apiUrl}/jwt`, oid, apiKey: 'key', attempts: 1, timeoutMs: 500, log });
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { client, [Symbol.asyncDispose]: close };
}

/** For tests: a server that has one answer to everything. */
export const replying = (body: string, status = 200, headers = {}) =>
  answering((_request, response) => response.writeHead(status, headers).end(body));

/** For tests: what a promise was rejected with. */
export const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );

/** For tests: everything a generator yields. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
