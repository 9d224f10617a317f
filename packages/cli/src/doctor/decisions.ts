import { settings as approval } from '@cordon/approval/src/config.ts';
import { keyIdOf } from '@cordon/contracts';
import { settings as executor } from '@cordon/isolation-executor/src/config.ts';
import { loadPolicy, PolicyError } from '@cordon/policy';
import { type Env, type Finding, ok, settingsOf, wrong } from './finding.ts';

const { DECISION_SIGNING_KEY, POLICY_FILE } = approval;
const { DECISION_PUBLIC_KEYS } = executor;

/** Whether the policy can be read, and whether the executor believes what approval signs. */
export async function checkDecisions(env: Env): Promise<Finding[]> {
  return [...checkPolicy(env), ...checkKeys(env)];
}

function checkPolicy(env: Env): Finding[] {
  const check = 'policy';
  const read = settingsOf(check, { POLICY_FILE }, ['POLICY_FILE'], env);
  if ('findings' in read && read.findings[0]?.status === 'wrong') return read.findings;
  const file = 'config' in read ? read.config.POLICY_FILE : undefined;
  try {
    const { tiers, version } = loadPolicy(file);
    return [
      ok(check, `${file ?? 'the built-in one'}: ${tiers.map(({ name }) => name).join(', ')} (version ${version})`),
    ];
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return [wrong(check, error.message, 'Correct POLICY_FILE: `cordon policy check` names every fault.')];
  }
}

function checkKeys(env: Env): Finding[] {
  const check = 'decision keys';
  const signing = settingsOf(check, { DECISION_SIGNING_KEY }, ['DECISION_SIGNING_KEY'], env);
  const known = settingsOf(check, { DECISION_PUBLIC_KEYS }, ['DECISION_PUBLIC_KEYS'], env);
  const faults = [signing, known].flatMap((read) => ('findings' in read ? read.findings : []));
  if (faults.some(({ status }) => status === 'wrong')) return faults.filter(({ status }) => status === 'wrong');
  if (!('config' in signing) || !('config' in known)) return faults;
  const ours = keyIdOf(signing.config.DECISION_SIGNING_KEY);
  if (known.config.DECISION_PUBLIC_KEYS.some((key) => keyIdOf(key) === ours)) {
    return [ok(check, `the executor believes what approval signs (key ${ours})`)];
  }
  return [
    wrong(
      check,
      'DECISION_PUBLIC_KEYS does not hold the public half of DECISION_SIGNING_KEY: every decision would be refused',
      'Set DECISION_PUBLIC_KEYS to: base64 -d < signing-key | openssl pkey -inform der -pubout -outform der | base64 -w0.',
    ),
  ];
}
