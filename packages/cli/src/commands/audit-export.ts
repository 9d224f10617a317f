import { type FileHandle, open } from 'node:fs/promises';
import { type AuditRecord, recordIn, sealIn } from '@cordon/audit';
import type { Operator } from '@cordon/bus';
import type { Endpoint } from '@cordon/contracts';
import { connectBroker } from '../broker.ts';
import { type Command, CommandError, type Context, EXIT, parse } from '../command.ts';
import { findIncident } from '../find-incident.ts';
import { placeOf } from '../place.ts';
import { visible } from '../visible.ts';

export const auditExport: Command = {
  name: 'audit export',
  summary: 'writes the audit log: every event that concerns a decision, chained and signed, one per line',
  help: `
  --out FILE       a new file, for nobody else to read; left out: standard output
  --since PLACE    only from there on: the number of a record, a time, or how long ago
  --incident ID    only what is about one incident

The last line is a seal: up to when this was all, signed. It is made anew at least once a minute while approval runs.
An export with --since or --incident is a part: \`cordon audit verify\` has to be told, and cannot see what is left out.

  cordon audit export --out cordon-2026-01.ndjson
  cordon audit export --since 30d --out january.ndjson
  cordon audit export --incident 3f1c | jq -r 'select(.event) | .event.type'`,
  async run(args, context) {
    const { values, positionals } = parse(args, {
      out: { type: 'string' },
      since: { type: 'string' },
      incident: { type: 'string' },
    });
    if (positionals.length > 0) throw new CommandError(EXIT.usage, `'${positionals[0]}'? Give a file as --out FILE.`);
    const since = placeOf(values.since) ?? 1;
    await using operator = await connectBroker(context);
    const seal = (await operator.bucketValue('bookmarks', 'audit'))?.text;
    const sealed = sealIn(seal ?? '')?.seal;
    if (seal === undefined || !sealed) {
      throw new CommandError(EXIT.notFound, 'There is no audit log yet: approval begins it with the first event.');
    }
    const { endpoint, isWanted } = await selection(operator, values.incident, since);

    const file = values.out === undefined ? undefined : await create(values.out);
    let count = 0;
    try {
      const write = writer(file, context);
      for await (const line of operator.auditLines(endpoint)) {
        const record = recordIn(line);
        if (record && record.n > sealed.n) break; // the next export has it, under the next seal
        if (record && !isWanted(record)) continue;
        await write(line); // also what is no record: it does not belong there, and whoever checks is to see it
        count++;
      }
      await write(seal);
    } finally {
      await file?.close();
    }
    const what = `${count} of ${sealed.n} records, sealed ${sealed.at}`;
    if (values.out !== undefined) context.err(`${what}, in ${visible(values.out)}\n`);
    return EXIT.ok;
  },
};

type Selection = { endpoint?: Endpoint; isWanted: (record: AuditRecord) => boolean };

/** Which records are exported, and the endpoint where all of them are about one. */
async function selection(operator: Operator, incident: string | undefined, since: number | Date): Promise<Selection> {
  const isSince = ({ n, at }: AuditRecord): boolean =>
    typeof since === 'number' ? n >= since : at >= since.toISOString();
  if (incident === undefined) return { isWanted: isSince };
  const found = await findIncident(operator, incident);
  const { id, tenantId, endpointId } = found.incident;
  const seqs = new Set(found.events.map(({ seq }) => seq)); // its detections do not name it
  const isAbout = ({ event }: AuditRecord): boolean => event.data['incidentId'] === id || seqs.has(event.seq);
  return { endpoint: { tenantId, endpointId }, isWanted: (record) => isSince(record) && isAbout(record) };
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
    const why = code === 'EEXIST' ? 'it is there already' : code;
    throw new CommandError(EXIT.usage, `--out: cannot create ${path} (${why}).`, { cause: error });
  }
}

function writer(file: FileHandle | undefined, context: Context): (line: string) => Promise<void> {
  if (!file) return async (line) => context.out(`${line}\n`);
  return async (line) => void (await file.write(`${line}\n`));
}
