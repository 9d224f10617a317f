import formbody from '@fastify/formbody';
import fastify, { type FastifyReply } from 'fastify';
import { z } from 'zod';
import { faultQueue, type Faults } from './faults.ts';
import { createDelivery, type DeliveryFault } from './slack-delivery.ts';
import { createInteractivity, type SlackEphemeral, type SlackOutcome } from './slack-interactivity.ts';
import { SLACK_TEAM } from './slack-people.ts';
import { createSocketMode } from './slack-socket-mode.ts';
import { createViews, type SlackView } from './slack-views.ts';
import {
  APP,
  createWorkspace,
  refuse,
  type SlackArguments,
  type SlackMessage,
  type SlackResult,
} from './slack-workspace.ts';

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
  /** Where buttons and modals are reported, for an app without Socket Mode. Without either, buttons do nothing. */
  setInteractionsUrl(url: string | undefined): void;
  /** Between a press and the app. */
  readonly deliveryFaults: Faults<DeliveryFault>;
  /** Whether buttons and modals are reported to anybody. */
  isInteractive(): boolean;
  /** A person presses a button of a message. Resolves when the app has answered or Slack has given up on it. */
  press(user: string, ts: string, actionId: string): Promise<SlackOutcome>;
  /** A person submits a modal, with what was filled in by `action_id`. */
  submit(user: string, viewId: string, filled: Record<string, string>): Promise<SlackOutcome>;
  /** A person closes the modal. */
  dismiss(user: string): void;
  /** The modal that this person sees, if there is one. */
  views(user: string): SlackView[];
  /** The messages that only this person sees. */
  ephemerals(user: string): SlackEphemeral[];
  /** The error mark at a message, for who pressed one of its buttons. */
  trouble(user: string, ts: string): string | undefined;
  /** How many sockets of Socket Mode are open. */
  sockets(): number;
  /** Makes every app with Socket Mode connect anew, as Slack does now and then. */
  refreshSockets(): void;
  /** Changes whenever somebody would see something else. */
  version(): string;
  close(): Promise<void>;
}

export interface SlackOptions {
  /** A free one by default. */
  port?: number;
  /** The one bot token that is accepted. */
  token: string;
  /** Signs what is posted to the app. */
  signingSecret?: string;
  /** The app-level token that Socket Mode accepts; without it there is none. */
  appToken?: string;
  /** The id of the one channel there is. */
  channel: string;
  channelName?: string;
  /** Keeps the messages over restarts. */
  stateFile?: string;
}

const CALLS_KEPT = 1_000;
const Form = z.record(z.string(), z.string());
const SOCKET_METHOD = 'apps.connections.open';

/**
 * A stand-in of Slack on loopback: its Web API, and people who press buttons and fill in modals. Faults can be set and messages read in this process through the returned
 * object, and from others as JSON below `/_control`: `GET messages`, `calls`, `faults`; `POST faults`, `faults/clear`.
 */
export async function startSlack(options: SlackOptions): Promise<Slack> {
  const { port = 0, token, signingSecret = 'sandbox', appToken, stateFile } = options;
  const { channel, channelName = 'security-alerts' } = options;
  const workspace = createWorkspace(channel, channelName, stateFile);
  const faults = faultQueue<SlackFault>();
  const calls: SlackCall[] = [];

  const app = fastify({ forceCloseConnections: true });
  await app.register(formbody);
  const views = createViews();
  const socketMode = createSocketMode(app.server, APP);
  const delivery = createDelivery(socketMode, signingSecret);
  const interactivity = createInteractivity({
    workspace,
    views,
    delivery,
    channel: { id: channel, name: channelName },
    origin: () => app.listeningOrigin,
  });

  app.post<{ Params: { method: string } }>('/api/:method', (request, reply) => {
    const { method } = request.params;
    const { token: tokenInForm, ...form } = Form.catch({}).parse(request.body);
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? tokenInForm;

    const fault = faults.take((candidate) => candidate.method === undefined || candidate.method === method);
    const carryOut = (): SlackResult => {
      if (given === undefined) return refuse('not_authed');
      if (given !== (method === SOCKET_METHOD ? appToken : token)) return refuse('invalid_auth');
      if (method === SOCKET_METHOD)
        return { ok: true, url: app.listeningOrigin.replace('http', 'ws') + socketMode.invite() };
      return views.call(method, form) ?? workspace.call(method, form);
    };
    const result = fault && !fault.stored ? undefined : carryOut();
    calls.push({ at: new Date().toISOString(), method, arguments: form, fault, result });
    if (calls.length > CALLS_KEPT) calls.shift();

    if (fault) spoil(reply, fault);
    else void reply.send(result);
  });

  app.post<{ Params: { ticket: string } }>(`/actions/${SLACK_TEAM.id}/:ticket`, (request, reply) => {
    const { status, answer } = interactivity.respond(request.params.ticket, request.body);
    return reply.code(status).send(answer);
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
  const close = async (): Promise<void> => {
    delivery.close();
    socketMode.close();
    await app.close();
  };
  return {
    apiUrl: `${origin}/api/`,
    messages: () => workspace.messages(),
    calls,
    faults,
    setInteractionsUrl: (url) => delivery.setUrl(url),
    deliveryFaults: delivery.faults,
    isInteractive: () => delivery.hasApp(),
    press: (user, ts, actionId) => interactivity.press(user, ts, actionId),
    submit: (user, viewId, filled) => interactivity.submit(user, viewId, filled),
    dismiss: (user) => void views.close(user),
    views: views.of,
    ephemerals: interactivity.ephemerals,
    trouble: interactivity.trouble,
    sockets: () => socketMode.count(),
    refreshSockets: () => socketMode.refresh(),
    version: () => JSON.stringify([workspace.version(), views.all(), interactivity.version(), delivery.hasApp()]),
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
