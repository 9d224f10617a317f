import { CordonEvent, type Person } from '@cordon/contracts';
import type { AuditRecord } from './record.ts';
import type { Checked } from './verify.ts';

/** What an audit log tells in short. Only lines without a problem count. */
export type Summary = {
  records: number;
  problems: number;
  first?: Pick<AuditRecord, 'n' | 'at'>;
  last?: Pick<AuditRecord, 'n' | 'at'>;
  sealed?: Pick<AuditRecord, 'n' | 'at'>;
  /** How many questions ended, by outcome. */
  decisions: Record<string, number>;
  releases: number;
  /** Everybody who answered a question or asked for a release. */
  persons: Person[];
  policyVersions: string[];
  /** Whose signatures the records carry. */
  keyIds: string[];
};

/** Takes one line after the other, and says what all of them tell. */
export function summarize(): { add: (checked: Checked) => void; summary: () => Summary } {
  const counts = { records: 0, problems: 0, releases: 0 };
  const decisions: Record<string, number> = {};
  const persons = new Map<string, Person>();
  const policyVersions = new Set<string>();
  const keyIds = new Set<string>();
  const places: Pick<Summary, 'first' | 'last' | 'sealed'> = {};

  function addEvent(event: CordonEvent): void {
    for (const person of personsIn(event)) persons.set(JSON.stringify([person.issuer, person.subject]), person);
    if (event.type === 'policy.changed') policyVersions.add(event.data.version);
    if (event.type === 'release.requested') counts.releases++;
    if (event.type !== 'approval.decided') return;
    const { outcome, policyVersion } = event.data;
    decisions[outcome] = (decisions[outcome] ?? 0) + 1;
    if (policyVersion !== undefined) policyVersions.add(policyVersion);
  }

  return {
    add({ record, seal, problem }) {
      if (problem !== undefined) counts.problems++;
      else if (seal) places.sealed = { n: seal.seal.n, at: seal.seal.at };
      else if (record) {
        counts.records++;
        const place = { n: record.n, at: record.at };
        places.first ??= place;
        places.last = place;
        keyIds.add(record.signature.keyId);
        const event = CordonEvent.safeParse(record.event).data; // a detection without its text, a later version's event
        if (event) addEvent(event);
      }
    },
    summary: () => ({
      ...counts,
      ...places,
      decisions,
      persons: [...persons.values()],
      policyVersions: [...policyVersions],
      keyIds: [...keyIds],
    }),
  };
}

function personsIn(event: CordonEvent): Person[] {
  if (event.type === 'approval.voted') return [event.data.vote.person];
  if (event.type === 'release.requested') return event.data.requestedBy ? [event.data.requestedBy] : [];
  if (event.type !== 'approval.decided') return [];
  const { decidedBy, votes = [] } = event.data;
  return [...votes.map(({ person }) => person), ...(decidedBy ? [decidedBy] : [])];
}
