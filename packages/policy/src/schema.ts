import { z } from 'zod';
import { DURATION, toMilliseconds } from './duration.ts';

const PLATFORMS = ['windows', 'linux', 'macos', 'chrome', 'android', 'ios'] as const;
/** OCSF's severities; the place is the id. */
const SEVERITIES = ['unknown', 'informational', 'low', 'medium', 'high', 'critical', 'fatal'] as const;
const MOST_PERSONS = 10;

/** An object that says which keys it knows when it is given another one. */
function block<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? `unknown key; there are ${known}` : undefined),
  });
}

const Duration = z
  .string({ error: 'must be a duration such as 90s, 10m, 8h or 2d' })
  .regex(DURATION, 'must be a duration such as 90s, 10m, 8h or 2d')
  .transform(toMilliseconds);
const Word = z.string().min(1, 'must not be empty').max(255);
const Persons = z.int().max(MOST_PERSONS, `must be at most ${MOST_PERSONS} persons`);
const Mail = z.email('must be a mail address').max(254, 'must be a mail address');
const SlackTarget = z.string().regex(/^[UW][0-9A-Z]{2,}$/, 'must be the id of a Slack user, such as U0123ABCD');

function some<Element extends z.ZodType>(element: Element) {
  return z.array(element).min(1, 'must name at least one, or be left out');
}

const contacts = { mail: some(Mail).optional(), slack: some(SlackTarget).optional() };

const Pattern = block({
  hosts: some(Word).optional().describe('Globs on the full host name and on its first label.'),
  tags: some(Word).optional().describe("The sensor's tags, without regard to case."),
  platforms: some(z.enum(PLATFORMS)).optional(),
}).refine((pattern) => Object.keys(pattern).length > 0, 'must say hosts, tags or platforms');

const Tier = block({
  name: z.string().regex(/^[0-9A-Za-z][0-9A-Za-z_-]{0,62}$/, 'must be letters, digits, - and _'),
  match: some(Pattern)
    .optional()
    .describe('Alternatives; within one, everything said must hold. The last tier has none and takes the rest.'),
  deciders: some(Word).optional().describe('Groups whose members may decide. Left out: OIDC_APPROVER_GROUP.'),
  quorum: Persons.min(1).default(1).describe('How many persons have to say yes. A single no ends the question.'),
  expires: Duration.optional().describe('Unanswered for so long, it ends. Left out: APPROVAL_EXPIRY_MINUTES.'),
  remind: some(Duration).optional().describe('After the question was asked.'),
  escalate: some(block({ after: Duration, ...contacts }))
    .optional()
    .describe('Who is told when nobody has answered, one after the other; without a name, all who are told anyway.'),
  contacts: block(contacts)
    .optional()
    .describe('Who hears of it where the usual channel cannot be reached. Mail left out: EMAIL_TO.'),
  slack: z.enum(['link', 'buttons']).default('link').describe('`buttons`: people may decide in Slack.'),
  passkey: z.boolean().default(false).describe("Whether a yes must be signed by the person's passkey."),
  release_after: Duration.optional().describe('The machine is released by itself. Left out: never.'),
  ask_again_after: Duration.optional().describe(
    'How long the same finding is not asked about again. Left out: APPROVAL_QUIET_MINUTES.',
  ),
  decision_valid: Duration.prefault('10m').describe('How long a decision may wait to be carried out.'),
}).superRefine(({ expires = Number.POSITIVE_INFINITY, remind = [], escalate = [], slack, passkey }, context) => {
  const message = 'must come before the question expires';
  for (const [at, after] of remind.entries()) {
    if (after >= expires) context.addIssue({ code: 'custom', path: ['remind', at], message });
  }
  for (const [at, { after }] of escalate.entries()) {
    if (after >= expires) context.addIssue({ code: 'custom', path: ['escalate', at, 'after'], message });
  }
  if (passkey && slack === 'buttons') {
    context.addIssue({
      code: 'custom',
      path: ['slack'],
      message: 'must be link where passkey is true: Slack signs with no passkey',
    });
  }
});
export type Tier = z.output<typeof Tier>;

const AutoRule = block({
  name: Word.describe('What people read: "isolated by the rule ...".'),
  rules: some(Word).describe("The detection rules, as LimaCharlie's `source_rule` has them: general.cordon-lazagne."),
  tiers: some(Word),
  severity: z.enum(SEVERITIES).default('critical').describe('At least.'),
});
export type AutoRule = z.output<typeof AutoRule>;

const SlackUser = block({
  subject: Word.describe('`sub` at the identity provider.'),
  issuer: Word.optional().describe('Left out: OIDC_ISSUER.'),
  name: Word,
  email: Mail.optional(),
  groups: some(Word),
});

/** The schema of the file. */
export const PolicyFile = block({
  tiers: some(Tier).describe('A machine is in the first tier that matches it.'),
  protected: block({
    hosts: z.array(Word).default([]),
    tags: z.array(Word).default([]),
    platforms: z.array(z.enum(PLATFORMS)).default([]),
  })
    .prefault({})
    .describe('Never isolated, whoever decides. PROTECTED_HOSTS counts as well.'),
  blast_radius: block({
    isolations: z.int().positive().default(10),
    within: Duration.prefault('1h'),
    fleet_percent: z.number().positive().max(100).default(10),
    override_quorum: Persons.min(2, 'must be at least 2 persons').default(2),
  })
    .prefault({})
    .describe('More than this at once, and every further isolation waits for so many persons.'),
  auto_isolate: z.array(AutoRule).default([]).describe('Rules that isolate without asking, under every guard.'),
  accounts: z
    .record(Mail, some(Word))
    .default({})
    .describe('Accounts on endpoints by e-mail address: who is logged on to a machine may not decide about it.'),
  slack_users: z
    .record(
      z.string().regex(/^[ET][0-9A-Z]{2,}\/[UW][0-9A-Z]{2,}$/, 'must be team/user, such as T0123ABCD/U0123ABCD'),
      SlackUser,
    )
    .default({})
    .describe('Who is who in Slack, as team/user.'),
});

/** Whether an OCSF severity is as grave as the rule asks for. */
export function isGraveEnough(rule: AutoRule, severityId: number): boolean {
  return severityId >= SEVERITIES.indexOf(rule.severity);
}
