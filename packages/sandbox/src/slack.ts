import formbody from '@fastify/formbody';
import fastify, { type FastifyReply } from 'fastify';
import { z } from 'zod';
import { faultQueue, type Faults } from './faults.ts';
import { createWorkspace, type SlackArguments, type SlackMessage, type SlackResult } from './slack-workspace.ts';

const everyFault = {
  /** Only calls of this method, as `chat.postMessage`; without it all. */
  method: z.string().optional(),
  /** How many calls it spoils; without it all until it is cleared. */
  times: z.int().positive().optional(),
  /** Whether the call takes effect before its reply is spoiled. */
  stored: z.boolean().optional(),
};
/** How the stand-in is to misbehave. */
export const SlackFault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('rate-limited'), retryAfterSeconds: z.number().optional(), ...everyFault }),
  z.strictObject({ kind: z.literal('error'), error: z.string(), ...everyFault }),
  z.strictObject({
    kind: z.enum(['server-error', 'reset', 'hang', 'stalled-body', 'html', 'down']),
    ...everyFault,
  }),
]);
export type SlackFault = z.infer<typeof SlackFault>;

/** A call that reached the stand-in, spoiled ones included. */
export interface SlackCall {
  at: string;
  method: string;
  arguments: SlackArguments;
  fault?: SlackFault | undefined;
  /** What the call led to; absent when it was not carried out. */
  result?: SlackResult | undefined;
}

export interface Slack extends AsyncDisposable {
  /** For `slackApiUrl` of Slack's client. */
  readonly apiUrl: string;
  /** The channel's messages, oldest first, each with its thread. */
  messages(): SlackMessage[];
  /** The latest calls, oldest first. */
  readonly calls: readonly SlackCall[];
  readonly faults: Faults<SlackFault>;
  close(): Promise<void>;
}

export interface SlackOptions {
  /** A free one by default. */
  port?: number;
  /** The one bot token that is accepted. */
  token: string;
  /** The id of the one channel there is. */
  channel: string;
  channelName?: string;
  /** Keeps the messages over restarts. */
  stateFile?: string;
}

const CALLS_KEPT = 1_000;
const Form = z.record(z.string(), z.string());

/**
 * A stand-in of Slack's Web API on loopback. Faults can be set and messages read in this process through the returned
 * object, and from others as JSON below `/_control`: `GET messages`, `calls`, `faults`; `POST faults`, `faults/clear`.
 */
export async function startSlack(options: SlackOptions): Promise<Slack> {
  const { port = 0, token, channel, channelName = 'security-alerts', stateFile } = options;
  const workspace = createWorkspace(channel, channelName, stateFile);
  const faults = faultQueue<SlackFault>();
  const calls: SlackCall[] = [];

  const app = fastify({ forceCloseConnections: true });
  await app.register(formbody);

  app.post<{ Params: { method: string } }>('/api/:method', (request, reply) => {
    const { method } = request.params;
    const { token: tokenInForm, ...form } = Form.catch({}).parse(request.body);
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? tokenInForm;

    const fault = faults.take((candidate) => candidate.method === undefined || candidate.method === method);
    const carryOut = (): SlackResult => {
      if (given === undefined) return { ok: false, error: 'not_authed' };
      if (given !== token) return { ok: false, error: 'invalid_auth' };
      return workspace.call(method, form);
    };
    const result = fault && !fault.stored ? undefined : carryOut();
    calls.push({ at: new Date().toISOString(), method, arguments: form, fault, result });
    if (calls.length > CALLS_KEPT) calls.shift();

    if (fault) spoil(reply, fault);
    else void reply.send(result);
  });

  app.get('/_control/messages', () => workspace.messages());
  app.get('/_control/calls', () => calls);
  app.get('/_control/faults', () => faults.list());
  app.post('/_control/faults', (request, reply) => {
    const fault = SlackFault.safeParse(request.body);
    if (!fault.success) return reply.code(400).send({ error: z.prettifyError(fault.error) });
    faults.add(fault.data);
    return faults.list();
  });
  app.post('/_control/faults/clear', () => {
    faults.clear();
    return [];
  });

  const origin = await app.listen({ port, host: '127.0.0.1' });
  const close = async (): Promise<void> => app.close();
  return {
    apiUrl: `${origin}/api/`,
    messages: () => workspace.messages(),
    calls,
    faults,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function spoil(reply: FastifyReply, fault: SlackFault): void {
  switch (fault.kind) {
    case 'rate-limited':
      if (fault.retryAfterSeconds !== undefined) void reply.header('retry-after', String(fault.retryAfterSeconds));
      void reply.code(429).send({ ok: false, error: 'ratelimited' });
      return;
    case 'error':
      void reply.send({ ok: false, error: fault.error });
      return;
    case 'server-error':
      void reply.code(500).type('text/plain').send('Internal Server Error');
      return;
    case 'html':
      void reply.type('text/html').send('<!doctype html><title>Sign in to the guest network</title>');
      return;
    case 'reset':
      reply.hijack();
      reply.raw.socket?.resetAndDestroy();
      return;
    case 'down':
      reply.hijack();
      reply.raw.socket?.destroy();
      return;
    case 'stalled-body':
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      reply.raw.write('{"ok":');
      return;
    case 'hang':
      reply.hijack(); // and nothing more, until the client gives up
      return;
  }
}
