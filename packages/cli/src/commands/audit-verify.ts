import type { KeyObject } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { type Summary, summarize, verifyLines } from '@cordon/audit';
import { ConfigurationError, loadConfig, verificationKeys } from '@cordon/service';
import { type Command, CommandError, type Context, EXIT, parse } from '../command.ts';
import { facts } from '../table.ts';
import { visible } from '../visible.ts';

export const auditVerify: Command = {
  name: 'audit verify',
  summary: 'checks an exported audit log, offline: names each record that was changed, removed, added or moved',
  help: `
  FILE         what \`cordon audit export\` wrote
  --key KEY    a public key of approval, in base64, or a file with it or its PEM. Left out: DECISION_PUBLIC_KEYS.
               May be repeated: after the signing key was replaced, the old public key is needed as well.
  --partial    FILE was exported with --since or --incident: what is missing in between is not named

It needs no broker, and believes nothing but signatures of these keys. Exit code 1 where something is wrong.

  cordon audit verify cordon-2026-01.ndjson --key MCowBQYDK2VwAyEA...
  cordon audit verify january.ndjson --partial --env-file .env
  cordon audit verify cordon-2026-01.ndjson --json | jq '.problems[]'`,
  async run(args, context) {
    const { values, positionals } = parse(args, {
      key: { type: 'string', multiple: true },
      partial: { type: 'boolean' },
    });
    const [path] = positionals;
    if (path === undefined || positionals.length > 1) {
      throw new CommandError(EXIT.usage, 'Give one file: cordon audit verify FILE.');
    }
    const keys = readKeys(values.key, context.env);
    const { add, summary } = summarize();
    const problems: { line: number; record: number | undefined; problem: string }[] = [];
    for await (const checked of verifyLines(linesOf(path), { keys, partial: values.partial === true })) {
      add(checked);
      const { line, record, problem } = checked;
      if (problem === undefined) continue;
      if (context.json) problems.push({ line, record: record?.n, problem });
      else context.out(visible(`line ${line}${record ? ` (record ${record.n})` : ''}: ${problem}`) + '\n');
    }
    const found = summary();
    if (context.json) context.printJson({ ...found, problems });
    else context.out(words(found, values.partial === true));
    return found.problems > 0 ? EXIT.wrong : EXIT.ok;
  },
};

function readKeys(texts: readonly string[] | undefined, env: Context['env']): KeyObject[] {
  try {
    const given = texts && { DECISION_PUBLIC_KEYS: texts.map(keyOrFile).join(',') };
    return loadConfig({ DECISION_PUBLIC_KEYS: verificationKeys() }, given ?? env).DECISION_PUBLIC_KEYS;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const fault = error.message.trim().replace(/^DECISION_PUBLIC_KEYS: /, '');
    throw new CommandError(EXIT.usage, `--key, or DECISION_PUBLIC_KEYS: ${fault}.`, { cause: error });
  }
}

function keyOrFile(text: string): string {
  return existsSync(text) ? readFileSync(text, 'utf8') : text;
}

/** Lines end with a line feed and nothing else. Byte by byte: what is not ASCII is not Cordon's. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of createReadStream(path, 'latin1')) {
      const lines = `${rest}${String(chunk)}`.split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
    throw new CommandError(EXIT.notFound, `${path} cannot be read (${code}).`, { cause: error });
  }
  if (rest !== '') yield rest;
}

function words({ records, problems, first, last, sealed, ...tells }: Summary, partial: boolean): string {
  const decisions = Object.entries(tells.decisions).map(([outcome, count]) => `${count} ${outcome}`);
  const whole = partial ? 'A part: what it leaves out is not known.' : 'Nothing is missing up to the seal.';
  return facts([
    ['records', records === 0 || !first || !last ? 0 : `${records}, from ${first.n} to ${last.n}`],
    ['recorded', first && last && `${first.at} to ${last.at}`],
    ['sealed', sealed ? `${sealed.at}, at record ${sealed.n}` : 'no'],
    ['decisions', decisions.join(', ') || 'none'],
    ['releases', tells.releases],
    ['persons', tells.persons.map(({ name, issuer, subject }) => `${name} (${issuer} ${subject})`).join(', ')],
    ['policies', tells.policyVersions.join(', ')],
    ['signed by', tells.keyIds.join(', ')],
    ['problems', problems === 0 ? `none. ${whole}` : problems],
  ]);
}
