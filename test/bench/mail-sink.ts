import { once } from 'node:events';
import { SMTPServer } from 'smtp-server';

/** A mail server that takes everything and keeps nothing: what reads mails would cost more than what sends them. */
export async function startMailSink(): Promise<{ url: string } & AsyncDisposable> {
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData: (stream, _session, done) => void stream.resume().once('end', () => done()),
  });
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const address = server.server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return {
    url: `smtp://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server.server, 'close');
    },
  };
}
