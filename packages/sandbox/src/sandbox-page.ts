import { readFileSync } from 'node:fs';
import formbody from '@fastify/formbody';
import { fastify, type FastifyReply } from 'fastify';
import { z } from 'zod';
import { screenOf, slackPersonNamed, slackRoutes } from './sandbox-page-slack.ts';
import { sensorOf, switchesOf, type Parts } from './sandbox-page-switches.ts';
import { queryOf, renderSandbox, type MachineView, type SandboxView, type TerminalEntry } from './sandbox-page-view.ts';

export type SandboxPageOptions = Parts & {
  /** 0 takes a free one. */
  port: number;
  /** Where Cordon lists its incidents. */
  incidentsUrl: string;
};

export interface SandboxPage extends AsyncDisposable {
  readonly url: string;
  close(): Promise<void>;
}

const ENTRIES_KEPT = 100;
const MAILS_SHOWN = 100;
const POLL_MS = 300;
const PING_MS = 20_000;

const HEADERS = {
  'cache-control': 'no-store',
  // Mails have style attributes, and their frame inherits this policy. Nothing else on the page has any.
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
const ASSETS = {
  'sandbox.css': 'text/css',
  'slack.css': 'text/css',
  'mail.css': 'text/css',
  'sandbox.js': 'text/javascript',
};

const Query = z.object({ mail: z.string().max(100).optional(), slack: z.string().max(100).optional() }).catch({});
type Query = z.infer<typeof Query>;
const Run = z.object({ line: z.string().max(2000) });
const Turn = z.object({ switch: z.string(), on: z.stringbool() });

/**
 * Serves the one page on which a person sees and uses all stand-ins, on loopback. Where a part is left out the page says
 * that its real counterpart is connected. Throws when the port is taken.
 */
export async function startSandboxPage(options: SandboxPageOptions): Promise<SandboxPage> {
  const { limaCharlie, machine, slack, mail, incidentsUrl } = options;
  const groups = switchesOf(options);
  const switches = groups.flatMap((group) => group.switches);
  let entries: TerminalEntry[] = [];
  let runs = 0;

  function run(line: string): void {
    if (!machine) return;
    const { output } = machine.run(line);
    runs++;
    entries = output === '\f' ? [] : [...entries, { line, output }].slice(-ENTRIES_KEPT);
  }

  function machineView(): MachineView | undefined {
    if (!limaCharlie || !machine) return undefined;
    const sensor = sensorOf(limaCharlie, machine.sid);
    const { hostname, prompt } = machine;
    return sensor && { hostname, prompt, sensor, entries, outputPaused: limaCharlie.isOutputPaused() };
  }

  const view = (query: Query): SandboxView => ({
    incidentsUrl,
    query,
    machine: machineView(),
    slack: slack && screenOf(slack, slackPersonNamed(query.slack)),
    mails: mail?.mails().slice(-MAILS_SHOWN),
    groups: groups.map(({ id, name, switches }) => ({
      id,
      name,
      switches: switches.map(({ id, label, expect, isOn }) => ({ id, label, expect, on: isOn() })),
    })),
  });

  /** Changes whenever the page would. */
  const version = (): string =>
    JSON.stringify([
      runs,
      limaCharlie?.sensors(),
      limaCharlie?.isOutputPaused(),
      slack?.version(),
      mail?.mails().map(({ deliveries }) => deliveries),
      switches.map(({ isOn }) => isOn()),
    ]);

  const app = fastify({ forceCloseConnections: true, bodyLimit: 16 * 1024 });
  await app.register(formbody, { bodyLimit: 16 * 1024 });
  app.setErrorHandler((error, _, reply) =>
    error instanceof z.ZodError ? reply.code(400).type('text/plain').send(z.prettifyError(error)) : reply.send(error),
  );
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    const { host = '', origin } = request.headers;
    // A name of somebody else's that resolves to this address is another site in disguise.
    if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host))
      return reply.code(403).send('This page is for this computer only.');
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    if (changes && origin !== `http://${host}`) return reply.code(403).send('Only this page itself may do that.');
    return undefined;
  });

  app.get('/', (request, reply) =>
    reply.type('text/html; charset=utf-8').send(renderSandbox(view(Query.parse(request.query)))),
  );
  app.post('/run', (request, reply) => {
    run(Run.parse(request.body).line);
    return reply.redirect(`/${queryOf(Query.parse(request.query))}#machine`, 303);
  });
  app.post('/switches', (request, reply) => {
    const { switch: id, on } = Turn.parse(request.body);
    const found = switches.find((one) => one.id === id);
    if (!found) return reply.code(404).type('text/plain').send('There is no such switch.');
    found.turn(on);
    return reply.redirect(`/${queryOf(Query.parse(request.query))}#break-things`, 303);
  });
  if (slack) {
    slackRoutes(app, slack, (given) => {
      const query = Query.parse(given);
      return { person: slackPersonNamed(query.slack), back: `/${queryOf(query)}#slack` };
    });
  }
  for (const [file, type] of Object.entries(ASSETS)) {
    const body = readFileSync(new URL(`../assets/${file}`, import.meta.url), 'utf8');
    app.get(`/assets/${file}`, (_, reply) => reply.type(`${type}; charset=utf-8`).send(body));
  }

  const live = liveUpdates(version);
  app.get('/events', (_, reply) => live.add(reply));
  app.addHook('preClose', async () => live.end());

  const url = await app.listen({ port: options.port, host: '127.0.0.1' });
  const close = async (): Promise<void> => app.close();
  return { url, close, [Symbol.asyncDispose]: close };
}

/** Server-sent events that only say "look again". The stand-ins are looked at while somebody listens, and not otherwise. */
function liveUpdates(version: () => string) {
  const open = new Set<FastifyReply>();
  let known = '';
  let poll: NodeJS.Timeout | undefined;
  let ping: NodeJS.Timeout | undefined;

  const write = (text: string): void => {
    for (const reply of open) reply.raw.write(text);
  };
  function look(): void {
    const now = version();
    if (now === known) return;
    known = now;
    write('event: changed\ndata: {}\n\n');
  }
  function stop(): void {
    clearInterval(poll);
    clearInterval(ping);
  }

  return {
    add(reply: FastifyReply): FastifyReply {
      reply.hijack();
      reply.raw.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream; charset=utf-8' });
      reply.raw.write('retry: 1000\n\nevent: changed\ndata: {}\n\n'); // something may have changed since the page was made
      if (open.size === 0) {
        known = version();
        poll = setInterval(look, POLL_MS);
        ping = setInterval(() => write(': ping\n\n'), PING_MS);
      }
      open.add(reply);
      reply.raw.once('close', () => {
        open.delete(reply);
        if (open.size === 0) stop();
      });
      return reply;
    },
    end(): void {
      stop();
      for (const reply of open) reply.raw.end();
    },
  };
}
