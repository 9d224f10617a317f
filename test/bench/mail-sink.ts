import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { SMTPServer } from 'smtp-server';

/**
 * A mail server that takes everything and keeps nothing: what reads mails would cost more than what sends them. In a thread
 * of its own, so that a mail does not hold up the clocks.
 */
export async function startMailSink(): Promise<{ url: string } & AsyncDisposable> {
  const thread = new Worker(new URL(import.meta.url));
  const [port] = await once(thread, 'message');
  return {
    url: `smtp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void (await thread.terminate()),
  };
}

if (!isMainThread) {
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData: (stream, _session, done) => void stream.resume().once('end', () => done()),
  });
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const address = server.server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  parentPort?.postMessage(address.port);
}
