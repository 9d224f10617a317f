import { loadPolicy, type Policy, PolicyError } from '@cordon/policy';
import { type Command, CommandError, EXIT, parse } from '../command.ts';
import { policySettings } from '../policy-settings.ts';
import { facts } from '../table.ts';
import { visible } from '../visible.ts';

export const policyCheck: Command = {
  name: 'policy check',
  summary: 'checks a policy file: every fault at once, with line, column and what it should be',
  help: `
  FILE    left out: POLICY_FILE, or else the built-in policy

Exit code 1 where it has faults. It reads the file and nothing else.

  cordon policy check policy.yaml
  cordon policy check policy.yaml --json | jq -r '.faults[]'`,
  async run(args, context) {
    const { positionals } = parse(args, {});
    if (positionals.length > 1) throw new CommandError(EXIT.usage, 'Give one file: cordon policy check FILE.');
    const file = positionals[0] ?? policySettings(context.env).file;
    try {
      const policy = loadPolicy(file);
      if (context.json) context.printJson({ file, version: policy.version, faults: [] });
      else context.out(summaryOf(policy, file));
      return EXIT.ok;
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      const { faults } = error;
      if (context.json) context.printJson({ file, faults });
      else for (const fault of faults) context.out(`${visible(fault)}\n`);
      return EXIT.wrong;
    }
  },
};

function summaryOf(policy: Policy, file: string | undefined): string {
  const { tiers, protected: entries, auto_isolate: rules } = policy;
  const protectedNames = [
    ...entries.hosts,
    ...entries.tags.map((tag) => `tag ${tag}`),
    ...entries.platforms.map((platform) => `platform ${platform}`),
  ];
  return facts([
    ['policy', `${file ?? 'built in'}, without faults`],
    ['version', policy.version],
    ['tiers', tiers.map(({ name, quorum }) => `${name} (quorum ${quorum})`).join(', ')],
    ['protected', protectedNames.join(', ') || 'nothing'],
    ['not asked', rules.map(({ name }) => name).join(', ') || 'nothing: people decide about every machine'],
  ]);
}
