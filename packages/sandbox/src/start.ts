import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSandboxPage } from './sandbox-page.ts';
import { SERVICES } from './service-process.ts';
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
  const port = (name: string, fallback: number): number => Number(process.env[name] ?? fallback);
  const system = await startSystem({
    stateDir,
    env: process.env,
    ports: {
      ingest: port('INGEST_PORT', 8080),
      approval: port('APPROVAL_PORT', 8081),
      limaCharlie: 8091,
      slack: 8092,
      identityProvider: 8093,
      mail: 8094,
      broker: 4222,
    },
  });
  close = system.close;
  keepRunning(system);
  const page = await startSandboxPage({
    port: port('SANDBOX_PORT', 8090),
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

function announce(system: System, pageUrl: string): void {
  const real = (standIn: unknown, name: string): string => (standIn ? 'stand-in' : `the real ${name}`);
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
