import { type Command, EXIT, parse } from '../command.ts';
import { checkBroker } from '../doctor/broker.ts';
import { checkDecisions } from '../doctor/decisions.ts';
import type { Check, Finding } from '../doctor/finding.ts';
import { checkLimaCharlie } from '../doctor/limacharlie.ts';
import { checkMail } from '../doctor/mail.ts';
import { checkSignIn } from '../doctor/sign-in.ts';
import { checkSlack } from '../doctor/slack.ts';
import { checkSlackDecisions } from '../doctor/slack-decisions.ts';
import { visible } from '../visible.ts';

const CHECKS: Check[] = [
  checkBroker,
  checkLimaCharlie,
  checkSlack,
  checkSlackDecisions,
  checkMail,
  checkSignIn,
  checkDecisions,
];
const MARKS = { ok: '✓', off: '-', wrong: '✗' } as const;

export const doctor: Command = {
  name: 'doctor',
  summary: 'checks everything Cordon leans on, and says how to mend what is wrong',
  help: `
It reads the settings of all services: run it where they are set, or with --env-file. What is not set is said to be not
configured and does not count as wrong. Nothing is sent, changed or isolated, and no secret is shown.

  cordon doctor
  cordon doctor --env-file .env
  cordon doctor --json | jq '.[] | select(.status == "wrong")'`,
  async run(args, context) {
    parse(args, {});
    let left = CHECKS.length;
    context.progress(`${left} checks …`);
    const findings = await Promise.all(
      CHECKS.map(async (check) => {
        const found = await check(context.env);
        context.progress(`${--left} checks …`);
        return found;
      }),
    );
    context.progress();
    const all = findings.flat();
    if (context.json) context.printJson(all);
    else context.out(all.map(lineOf).join(''));
    return all.some(({ status }) => status === 'wrong') ? EXIT.wrong : EXIT.ok;
  },
};

function lineOf(finding: Finding): string {
  const line = `${MARKS[finding.status]} ${finding.check.padEnd(16)} ${visible(finding.says)}\n`;
  return finding.status === 'wrong' ? `${line}  ${' '.repeat(16)} ${visible(finding.fix)}\n` : line;
}
