import type { DeadLetter, Operator, Quarantined, Unreadable } from '@cordon/bus';
import { parseSubject } from '@cordon/contracts';
import { CommandError, EXIT } from './command.ts';

/** Something that was put aside: a message that a consumer gave up on, or a webhook that nobody understood. */
export type PutAside = {
  /** What the operator calls it: `7` for a dead letter, `q3` for a quarantined webhook. */
  id: string;
  seq: number;
  at: string;
  /** Who gave up. */
  consumer: string;
  what: string;
  endpointId?: string;
  attempts?: number;
  reason: string;
} & ({ letter: DeadLetter } | { webhook: Quarantined } | { unreadable: string; kind: 'letter' | 'webhook' });

/** Everything that was put aside, the oldest first. */
export async function* allPutAside(operator: Operator): AsyncGenerator<PutAside> {
  for await (const { seq, at, value } of operator.deadLetters()) yield letterOf(seq, at, value);
  for await (const { seq, at, value } of operator.quarantined()) yield webhookOf(seq, at, value);
}

function letterOf(seq: number, at: Date, value: DeadLetter | Unreadable): PutAside {
  const common = { id: String(seq), seq, at: at.toISOString() };
  if ('unreadable' in value) return { ...common, ...unreadable(value.unreadable, 'letter') };
  const subject = parseSubject(value.subject);
  return {
    ...common,
    consumer: value.consumer,
    what: `${subject?.type ?? value.subject} #${value.seq}`,
    ...(subject && { endpointId: subject.endpoint.endpointId }),
    attempts: value.attempts,
    reason: value.reason,
    letter: value,
  };
}

function webhookOf(seq: number, at: Date, value: Quarantined | Unreadable): PutAside {
  const common = { id: `q${seq}`, seq, at: at.toISOString() };
  if ('unreadable' in value) return { ...common, ...unreadable(value.unreadable, 'webhook') };
  const bytes = Buffer.from(value.body, 'base64').length;
  return { ...common, consumer: 'ingest', what: `webhook, ${bytes} bytes`, reason: value.problem, webhook: value };
}

function unreadable(text: string, kind: 'letter' | 'webhook') {
  return { consumer: '?', what: 'unreadable', reason: 'not a record this version understands', unreadable: text, kind };
}

/** Those with these ids. Throws `CommandError` naming the first that is not there. */
export async function findPutAside(operator: Operator, ids: readonly string[]): Promise<PutAside[]> {
  const bad = ids.find((id) => !/^q?\d{1,15}$/.test(id));
  if (bad !== undefined)
    throw new CommandError(EXIT.usage, `'${bad}' is no id: \`cordon dlq list\` shows them (7, q3).`);
  const wanted = new Set(ids);
  const found: PutAside[] = [];
  for await (const item of allPutAside(operator)) if (wanted.has(item.id)) found.push(item);
  const missing = ids.find((id) => !found.some((item) => item.id === id));
  if (missing !== undefined) throw new CommandError(EXIT.notFound, `There is no ${missing} (any more).`);
  return found;
}

/** The ids that were given, or with `--all` everything, of one consumer where one is named. */
export async function chosen(
  operator: Operator,
  ids: readonly string[],
  { all, consumer }: { all?: boolean | undefined; consumer?: string | undefined },
): Promise<PutAside[]> {
  if (Boolean(all) === ids.length > 0) throw new CommandError(EXIT.usage, 'Give ids, or --all.');
  if (!all) return findPutAside(operator, ids);
  const found: PutAside[] = [];
  for await (const item of allPutAside(operator)) if (!consumer || item.consumer === consumer) found.push(item);
  return found;
}

/** Removes it for good. */
export async function remove(operator: Operator, item: PutAside): Promise<void> {
  const isWebhook = 'webhook' in item || ('kind' in item && item.kind === 'webhook');
  await (isWebhook ? operator.removeQuarantined(item.seq) : operator.removeDeadLetter(item.seq));
}
