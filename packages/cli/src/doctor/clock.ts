import { type Finding, ok, wrong } from './finding.ts';

/** Deadlines, tokens and the order of a timeline lean on the clocks: what is below this is noise of the network. */
const TOLERATED_MS = 5000;

/** Whether somebody else's clock and ours agree. */
export function clockFinding(whose: string, theirs: Date, ours: Date): Finding {
  const offMs = ours.getTime() - theirs.getTime();
  const seconds = (Math.abs(offMs) / 1000).toFixed(1);
  if (Math.abs(offMs) <= TOLERATED_MS) return ok('clock', `within ${TOLERATED_MS / 1000} s of ${whose}`);
  const direction = offMs > 0 ? 'ahead of' : 'behind';
  return wrong(
    'clock',
    `this machine is ${seconds} s ${direction} ${whose}`,
    'Let NTP set the clock of both machines.',
  );
}
