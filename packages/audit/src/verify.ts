import type { KeyObject } from 'node:crypto';
import { type Authenticity, authenticityOf, authenticityOfText, hasToBeSigned } from '@cordon/contracts';
import { type AuditRecord, hashOf, type Head, lineOf, NOTHING_RECORDED, recordIn, recordStatement } from './record.ts';
import { authenticityOfSeal, type Seal, sealIn } from './seal.ts';

/** One line of an export after it was looked at. `problem` is a sentence about what is wrong, if anything is. */
export type Checked = { line: number; record?: AuditRecord; seal?: Seal; problem?: string };

export type Rules = {
  /** Whose signatures are believed. */
  keys: readonly KeyObject[];
  /** Only some of the records are expected, in order: what was left out cannot be told from what was taken out. */
  partial?: boolean;
};

const NOT_AUTHENTIC: Record<Exclude<Authenticity, 'authentic'>, string> = {
  unsigned: 'carries no signature',
  unknown_key: 'is signed with another key than those given',
  forged: 'does not fit its signature',
};

/**
 * Checks the lines of an export, needing nothing but the public keys, and goes on after a problem: one change gives one
 * problem and not one on every line that follows. Without a problem, the lines are exactly what approval recorded up to the
 * time of the seal.
 */
export async function* verifyLines(
  lines: Iterable<string> | AsyncIterable<string>,
  { keys, partial = false }: Rules,
): AsyncGenerator<Checked> {
  let last = NOTHING_RECORDED; // the record that was believed last, and the one furthest in the chain
  let highest = NOTHING_RECORDED;
  let doubtful = 0; // lines since then that are not believed: each may stand in the place of a record, or of none
  let isReadable = true; // the line before
  let open: { line: number; seal: Seal } | undefined;
  let line = 0;

  for await (const text of lines) {
    line++;
    if (open) yield { ...open, problem: 'A seal stands in the middle: it was put there, or what follows it was.' };
    open = undefined;

    const record = recordIn(text);
    const seal = record ? undefined : sealIn(text);
    if (seal && lineOf(seal) === text) {
      open = { line, seal };
      continue;
    }
    if (!record) {
      isReadable = false;
      doubtful++;
      yield { line, problem: 'This is no line that Cordon wrote: it was changed or added.' };
      continue;
    }
    isReadable = true;
    const doubt = doubtAbout(text, record, keys);
    if (doubt) {
      doubtful++;
      yield { line, record, problem: doubt };
      continue;
    }
    const problem = misplacementOf(record, last, doubtful, partial) ?? problemOfEvent(record, keys);
    last = record;
    doubtful = 0;
    if (record.n > highest.n) highest = record;
    yield { line, record, ...(problem && { problem }) };
  }

  if (open) {
    const problem = problemOfSeal(open.seal, highest, doubtful, { keys, partial });
    yield { ...open, ...(problem && { problem }) };
  } else if (isReadable) {
    yield { line: line + 1, problem: 'The seal is missing, which is the last line: the end was cut off.' };
  }
}

/** Why a record is not what was recorded, wherever it stands. */
function doubtAbout(text: string, record: AuditRecord, keys: readonly KeyObject[]): string | undefined {
  if (lineOf(record) !== text) return 'It is not written as Cordon writes it: it was changed.';
  if (hashOf(record) !== record.hash) return 'Its content does not give its hash: it was changed.';
  const authenticity = authenticityOfText(recordStatement(record.hash), record.signature, keys);
  if (authenticity === 'authentic') return undefined;
  return `It ${NOT_AUTHENTIC[authenticity]}: it was changed or added.`;
}

/** Why a record that approval did write does not belong where it stands. */
function misplacementOf({ n, prev }: AuditRecord, last: Head, doubtful: number, partial: boolean): string | undefined {
  const next = last.n + 1;
  if (n === next && prev === last.hash) return undefined;
  if (n > next && (partial || n <= next + doubtful)) return undefined;
  if (n < next) return `It stands after record ${last.n}: it was moved or repeated.`;
  if (n === next) return `It does not follow from record ${last.n}, which is not the one that was before it.`;
  const first = next + doubtful;
  const missing = first === n - 1 ? `Record ${first} does` : `Records ${first} to ${n - 1} do`;
  return `${missing} not stand before it: removed, or moved.`;
}

/** Somebody put a question, a vote or a decision on the bus that is not approval's, and approval recorded that this was there. */
function problemOfEvent({ event }: AuditRecord, keys: readonly KeyObject[]): string | undefined {
  if (!hasToBeSigned(event)) return undefined;
  const authenticity = authenticityOf(event, keys);
  if (authenticity === 'authentic') return undefined;
  return `The record is genuine, but not the ${event.type} in it, which ${NOT_AUTHENTIC[authenticity]}: approval did not make it.`;
}

function problemOfSeal(
  sealed: Seal,
  highest: Head,
  doubtful: number,
  { keys, partial }: Required<Rules>,
): string | undefined {
  const authenticity = authenticityOfSeal(sealed, keys);
  if (authenticity !== 'authentic') return `The seal ${NOT_AUTHENTIC[authenticity]}.`;
  const { n, hash } = sealed.seal;
  if (n < highest.n) return `The seal is an older one: it was made at record ${n}.`;
  if (n === highest.n) return hash === highest.hash ? undefined : `The seal is of another record ${n}.`;
  if (partial || n <= highest.n + doubtful) return undefined;
  return `Records are missing at the end: the seal was made at record ${n}.`;
}
