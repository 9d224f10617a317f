/** A member of the workspace. */
export type SlackPerson = { id: string; username: string; name: string };

export const SLACK_TEAM = { id: 'T0SANDBOX', domain: 'sandbox' };
/** Who can be somebody on the sandbox's Slack. Cordon knows the first two, where its policy says so. */
export const SLACK_PEOPLE: readonly [SlackPerson, ...SlackPerson[]] = [
  { id: 'U0ALICE', username: 'alice', name: 'Alice' },
  { id: 'U0BOB', username: 'bob', name: 'Bob' },
  { id: 'U0STRANGER', username: 'stranger', name: 'A stranger' },
];
