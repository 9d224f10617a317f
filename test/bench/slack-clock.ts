import { once } from 'node:events';
import { createServer } from 'node:http';

/** A Slack that answers at once and only notes when it was first called about each host. */
export interface SlackClock extends AsyncDisposable {
  readonly apiUrl: string;
  /** By hostname, in `performance.now()`. */
  readonly posted: ReadonlyMap<string, number>;
}

export async function startSlackClock(): Promise<SlackClock> {
  const posted = new Map<string, number>();
  const server = createServer((request, response) => {
    const at = performance.now();
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const host = /bench-host-[a-z0-9-]+/.exec(body)?.[0];
      if (host && request.url?.endsWith('chat.postMessage') && !posted.has(host)) posted.set(host, at);
      const answer = { ok: true, ts: `${Date.now() / 1000}`, channel: 'C1', bot_id: 'B1', user_id: 'U1' };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return {
    apiUrl: `http://127.0.0.1:${address.port}/api/`,
    posted,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
