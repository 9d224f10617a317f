import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSandboxPage } from './sandbox-page.ts';
import { freePort, isFree, SERVICES } from './service-process.ts';
import { startSystem, type System } from './system.ts';

const HELP = `npm start [-- options]

Starts all of Cordon, with stand-ins for what needs an account.

  --fresh   forget what earlier runs kept in .cordon/
  --help    this text

A stand-in is left out when its real counterpart is configured in the environment:
LIMACHARLIE_API_KEY, SLACK_BOT_TOKEN, SMTP_URL, OIDC_ISSUER, NATS_URL. See README.md.
Ports: INGEST_PORT (8080), APPROVAL_PORT (8081), SANDBOX_PORT (8090).
`;
const RESTART_MS = 500;
const stateDir = fileURLToPath(new URL('../../../.cordon/state', import.meta.url));
const { values } = parseArgs({
  options: { fresh: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

if (values.help) {
  say(HELP);
  process.exit(0);
}
if (values.fresh) await rm(stateDir, { recursive: true, force: true });

const beganAt = performance.now();
let stopping: Promise<void> | undefined;
let close: () => Promise<void> = async () => {};
function stop(): void {
  if (stopping) return; // Ctrl-C arrives twice: from the terminal, and from npm
  say('\nStopping …');
  stopping = close().then(
    () => process.exit(0),
    (error: unknown) => fail(error),
  );
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
// Who stops npm does not always reach us: the shell between may die without a word.
const { ppid } = process;
setInterval(() => process.ppid !== ppid && stop(), 500).unref();

try {
  const ports = {
    ingest: await portFor('INGEST_PORT', 8080),
    approval: await portFor('APPROVAL_PORT', 8081),
    page: await portFor('SANDBOX_PORT', 8090),
  };
  const system = await startSystem({
    stateDir,
    env: process.env,
    ports: {
      ...ports,
      limaCharlie: await freeOr(8091),
      slack: await freeOr(8092),
      identityProvider: await freeOr(8093),
      mail: await freeOr(8094),
      broker: await freeOr(4222),
      admin: {
        ingest: await freeOr(9080),
        approval: await freeOr(9081),
        'isolation-executor': await freeOr(9082),
        notifier: await freeOr(9083),
      },
    },
  });
  close = () => system.close();
  keepRunning(system);
  const page = await startSandboxPage({
    port: ports.page,
    incidentsUrl: system.approvalUrl,
    ...(system.limaCharlie && { limaCharlie: system.limaCharlie }),
    ...(system.machine && { machine: system.machine }),
    ...(system.slack && { slack: system.slack }),
    ...(system.mail && { mail: system.mail }),
  });
  close = async () => {
    await page.close();
    await system.close();
  };
  await system.ready();
  announce(system, page.url);
} catch (error) {
  await close().catch(() => {});
  if (!stopping) fail(error);
}

/** As a supervisor would: a service that ends is started again. */
function keepRunning(system: System): void {
  for (const name of SERVICES) {
    const service = system.services[name];
    service.onExit((code, signal) => {
      if (stopping) return;
      say(
        `${name} ended (${signal ?? `exit code ${code}`}), starting it again. Its log: .cordon/state/logs/${name}.log`,
      );
      setTimeout(() => {
        if (!stopping) void service.start().catch(fail);
      }, RESTART_MS);
    });
  }
}

/** A port that people know by heart: where it is taken, they have to choose. */
async function portFor(setting: string, usual: number): Promise<number> {
  const port = Number(process.env[setting] ?? usual);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`${setting} must be a port, 1 to 65535`);
  if (!(await isFree(port)))
    throw new Error(`port ${port} is in use. Stop what uses it, or choose another: ${setting}=…`);
  return port;
}

/** The usual port of a part that only the other parts talk to, or any free one. */
async function freeOr(usual: number): Promise<number> {
  return (await isFree(usual)) ? usual : freePort();
}

function real(standIn: unknown, name: string): string {
  return standIn ? 'stand-in' : `the real ${name}`;
}

function announce(system: System, pageUrl: string): void {
  say(`
Cordon is ready (${((performance.now() - beganAt) / 1000).toFixed(1)} s).

  Open ${pageUrl}      run LaZagne.exe there, read Slack and mail, decide

  Incidents     ${system.approvalUrl}
  Webhook       ${system.webhook.url}
  Broker        ${system.natsUrl}
  LimaCharlie   ${real(system.limaCharlie, 'LimaCharlie')}
  Slack         ${real(system.slack, 'Slack')}
  Mail          ${real(system.mail, 'mail server')}
  Sign-in       ${real(system.identityProvider, 'identity provider')}
  Logs          .cordon/state/logs/

Ctrl-C stops everything.`);
}

function fail(error: unknown): void {
  process.stderr.write(`Cordon could not start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
