import { once } from 'node:events';
import { createServer } from 'node:http';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

/** A Slack that answers at once and only notes when it was first called about each host. */
export interface SlackClock extends AsyncDisposable {
  readonly apiUrl: string;
  /** By hostname, in `performance.now()`. Known a moment later, as the thread tells of it. */
  readonly posted: ReadonlyMap<string, number>;
}

type Message = { port: number } | { host: string; at: number };

/** In a thread of its own: what sends the webhooks must not hold up the clock. */
export async function startSlackClock(): Promise<SlackClock> {
  const posted = new Map<string, number>();
  const listening = Promise.withResolvers<number>();
  const thread = new Worker(new URL(import.meta.url));
  thread.on('message', (message: Message) => {
    if ('port' in message) listening.resolve(message.port);
    else posted.set(message.host, message.at - performance.timeOrigin);
  });
  return {
    apiUrl: `http://127.0.0.1:${await listening.promise}/api/`,
    posted,
    [Symbol.asyncDispose]: async () => void (await thread.terminate()),
  };
}

async function keepTime(tell: (message: Message) => void): Promise<void> {
  const known = new Set<string>();
  const server = createServer((request, response) => {
    const at = performance.timeOrigin + performance.now();
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const host = /bench-host-[a-z0-9-]+/.exec(body)?.[0];
      if (host && request.url?.endsWith('chat.postMessage') && !known.has(host)) {
        known.add(host);
        tell({ host, at });
      }
      const answer = { ok: true, ts: `${Date.now() / 1000}`, channel: 'C1', bot_id: 'B1', user_id: 'U1' };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  tell({ port: address.port });
}

if (!isMainThread) await keepTime((message) => parentPort?.postMessage(message));
