import type { Detection } from '@cordon/contracts';

type Attack = NonNullable<Detection['finding_info']['attacks']>[number];

/** The 14 tactics of ATT&CK for Enterprise, by the name that Sigma tags use. */
const TACTICS: ReadonlyMap<string, { uid: string; name: string }> = new Map([
  ['reconnaissance', { uid: 'TA0043', name: 'Reconnaissance' }],
  ['resource-development', { uid: 'TA0042', name: 'Resource Development' }],
  ['initial-access', { uid: 'TA0001', name: 'Initial Access' }],
  ['execution', { uid: 'TA0002', name: 'Execution' }],
  ['persistence', { uid: 'TA0003', name: 'Persistence' }],
  ['privilege-escalation', { uid: 'TA0004', name: 'Privilege Escalation' }],
  ['defense-evasion', { uid: 'TA0005', name: 'Defense Evasion' }],
  ['credential-access', { uid: 'TA0006', name: 'Credential Access' }],
  ['discovery', { uid: 'TA0007', name: 'Discovery' }],
  ['lateral-movement', { uid: 'TA0008', name: 'Lateral Movement' }],
  ['collection', { uid: 'TA0009', name: 'Collection' }],
  ['exfiltration', { uid: 'TA0010', name: 'Exfiltration' }],
  ['command-and-control', { uid: 'TA0011', name: 'Command and Control' }],
  ['impact', { uid: 'TA0040', name: 'Impact' }],
]);

/**
 * What Sigma-style tags say of ATT&CK, each thing once and in their order: `attack.t1003.001` a sub-technique,
 * `attack.credential_access` (or with a hyphen) a tactic. Other tags, such as `attack.s0349`, say nothing here.
 */
export function attacksOf(tags: readonly string[]): Attack[] {
  const attacks = new Map<string, Attack>();
  for (const tag of tags) {
    const attack = attackOf(tag.toLowerCase());
    if (attack) attacks.set(JSON.stringify(attack), attack);
  }
  return [...attacks.values()];
}

function attackOf(tag: string): Attack | undefined {
  const [, technique, part] = /^attack\.(t\d{4})(?:\.(\d{3}))?$/.exec(tag) ?? [];
  if (technique) {
    const uid = technique.toUpperCase();
    return { technique: { uid }, ...(part && { sub_technique: { uid: `${uid}.${part}` } }) };
  }
  const [, name = ''] = /^attack\.([a-z_-]+)$/.exec(tag) ?? [];
  const tactic = TACTICS.get(name.replaceAll('_', '-'));
  return tactic && { tactic };
}
