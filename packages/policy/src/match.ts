import picomatch from 'picomatch';
import type { Policy } from './parse-policy.ts';
import type { Tier } from './schema.ts';

/** What policy knows of a machine. The platform is `windows`, `linux`, `macos`, ... */
export type Machine = { hostname: string; tags: readonly string[]; platform: string };

/** Whether a host may never be isolated: globs on the full name and on its first label, without regard to case. */
export function protectedHosts(globs: readonly string[]): (hostname: string) => boolean {
  const matches = globs.map((glob) => picomatch(glob.toLowerCase(), { dot: true, nocase: true }));
  return (hostname) => {
    const name = hostname.toLowerCase();
    const [label = name] = name.split('.');
    return matches.some((match) => match(name) || match(label));
  };
}

/** The tier of a machine: the first that matches. */
export function tierOf(policy: Policy, machine: Machine): Tier {
  return matchOf(policy, machine).tier;
}

/** The tier of a machine, and what put it there; nothing where it is the one for all the rest. */
export function matchOf(policy: Policy, machine: Machine): { tier: Tier; because?: string } {
  for (const tier of policy.tiers) {
    if (!tier.match) return { tier };
    for (const { hosts, tags, platforms } of tier.match) {
      const reasons = [
        hosts && hostReason(hosts, machine),
        tags && tagReason(tags, machine),
        platforms && platformReason(platforms, machine),
      ];
      // Left out is undefined and counts for nothing; said and not met is an empty sentence.
      if (!reasons.includes('')) return { tier, because: reasons.filter(Boolean).join(', ') };
    }
  }
  throw new Error('a parsed policy has a tier for every machine');
}

/** The entry of `protected` that keeps a machine from ever being isolated, as a few words; nothing where none does. */
export function protectedBy({ protected: entries }: Policy, machine: Machine): string | undefined {
  const { hosts, tags, platforms } = entries;
  return hostReason(hosts, machine) || tagReason(tags, machine) || platformReason(platforms, machine) || undefined;
}

function hostReason(globs: readonly string[], { hostname }: Machine): string {
  const glob = globs.find((candidate) => protectedHosts([candidate])(hostname));
  return glob === undefined ? '' : `host ${hostname} matches ${glob}`;
}

function tagReason(tags: readonly string[], machine: Machine): string {
  const tag = tags.find((candidate) => machine.tags.some((has) => has.toLowerCase() === candidate.toLowerCase()));
  return tag === undefined ? '' : `tag ${tag}`;
}

function platformReason(platforms: readonly string[], { platform }: Machine): string {
  return platforms.includes(platform) ? `platform ${platform}` : '';
}
