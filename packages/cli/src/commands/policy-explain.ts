import { type Incident, machineOf } from '@cordon/incident';
import { explain, type Machine } from '@cordon/policy';
import { connectBroker } from '../broker.ts';
import { type Command, CommandError, type Context, EXIT, parse } from '../command.ts';
import { policySettings, readPolicy } from '../policy-settings.ts';
import { facts } from '../table.ts';
import { visible } from '../visible.ts';

export const policyExplain: Command = {
  name: 'policy explain',
  summary: 'says what happens when something is detected on a host: who decides, by when, and what then',
  help: `
  HOST             its name, as the sensor reports it
  --tag TAG        a tag of the sensor; may be repeated
  --platform NAME  windows, linux, macos
  --file FILE      another policy than the one in force (POLICY_FILE, or else the built-in one)

Tags and platform that are not given are those of the host's last incident, where there is a broker and there was one.

  cordon policy explain dc-01
  cordon policy explain web-3.example.com --tag server --tag dmz --platform linux --file policy.yaml`,
  async run(args, context) {
    const { values, positionals } = parse(args, {
      tag: { type: 'string', multiple: true },
      platform: { type: 'string' },
      file: { type: 'string' },
    });
    const [hostname] = positionals;
    if (!hostname || positionals.length > 1) {
      throw new CommandError(EXIT.usage, 'Give one host: cordon policy explain HOST.');
    }
    const { file, defaults, protectedHosts } = policySettings(context.env);
    const policy = readPolicy(values.file ?? file, protectedHosts);
    const isTold = values.tag !== undefined && values.platform !== undefined;
    const known = isTold ? undefined : await lastSeen(context, hostname);
    const machine = {
      hostname,
      tags: values.tag ?? known?.tags ?? [],
      platform: values.platform?.toLowerCase() ?? known?.platform ?? 'unknown',
    };
    const { lines, ...explanation } = explain(policy, machine, defaults);
    if (context.json) context.printJson(explanation);
    else context.out(facts(lines));
    return EXIT.ok;
  },
};

/** What the last incident of a host says of it. Without a broker nothing is known, and that is said. */
async function lastSeen(context: Context, hostname: string): Promise<Machine | undefined> {
  const name = hostname.toLowerCase();
  let last: Incident | undefined;
  try {
    await using operator = await connectBroker(context);
    for await (const incident of operator.incidents()) {
      if (incident.hostname.toLowerCase() === name && incident.openedAt > (last?.openedAt ?? '')) last = incident;
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    context.err(`${visible(error.message)} Only what is given here is known of ${visible(hostname)}.\n`);
  }
  return last && machineOf(last);
}
