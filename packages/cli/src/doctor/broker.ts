import { connectOperator } from '@cordon/bus';
import { addressOf, brokerSettings, whyNot } from '../broker.ts';
import { CommandError } from '../command.ts';
import { driftOf, isDrift } from '../commands/topology.ts';
import { clockFinding } from './clock.ts';
import { type Env, type Finding, ok, wrong } from './finding.ts';

const OLDEST = [2, 12];

/** The broker, what is declared on it, and whether its clock and ours agree. */
export async function checkBroker(env: Env): Promise<Finding[]> {
  let settings: ReturnType<typeof brokerSettings>;
  try {
    settings = brokerSettings(env);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const says = error.message.split('\n').slice(1).join(' ').trim();
    return [wrong('broker', says, 'Set NATS_URL to nats://host:port, several with commas.')];
  }
  const { url, replicas } = settings;
  const operator = await connectOperator({ url, name: 'cordon-doctor' }).catch((error: unknown) => {
    const [says = '', fix = ''] = whyNot(error, url).split(': ');
    return wrong('broker', says, `${fix.charAt(0).toUpperCase()}${fix.slice(1)}.`);
  });
  if ('status' in operator) return [operator];

  await using broker = operator;
  const { version } = broker.server;
  const findings = [
    isOld(version)
      ? wrong('broker', `nats-server ${version} is too old`, `Update nats-server to ${OLDEST.join('.')} or newer.`)
      : ok('broker', `nats-server ${version} at ${addressOf(url)}, JetStream on`),
  ];
  const drift = (await broker.topology(replicas)).filter(isDrift);
  if (drift.length === 0) {
    const before = Date.now();
    const theirs = await broker.now();
    findings.push(ok('topology', 'streams, consumers and buckets are as declared'));
    findings.push(clockFinding('the broker', theirs, new Date((before + Date.now()) / 2)));
  } else {
    const lines = drift.flatMap(driftOf);
    const more = lines.length > 3 ? `, and ${lines.length - 3} more` : '';
    const says = `${lines.slice(0, 3).join('; ')}${more}`;
    findings.push(wrong('topology', says, 'Start the services once, or run `cordon topology --apply`.'));
  }
  return findings;
}

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < (OLDEST[0] ?? 0) || (major === OLDEST[0] && minor < (OLDEST[1] ?? 0));
}
