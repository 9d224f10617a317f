import type { FaultKind, StandIn } from './schedule.ts';
import type { Stage } from './stage.ts';

const FOR_EVER_MS = 60_000;

/**
 * Makes a stand-in misbehave until the returned function is called. A call that is carried out although its answer is
 * lost is used only with Slack, where Cordon promises to look before it repeats: LimaCharlie takes a repeated wish without
 * harm and SMTP cannot be asked, so there it would be counted as a double and prove nothing.
 */
export function misbehave({ limaCharlie, slack, mail }: Stage, standIn: StandIn, kind: FaultKind): () => void {
  switch (standIn) {
    case 'LimaCharlie': {
      const { faults } = limaCharlie;
      if (kind === 'slow') faults.set('slow', undefined, { delayMs: 3000 });
      if (kind === '429') faults.set('429', undefined, { periodSeconds: 2 });
      if (kind === '500') faults.set('500');
      if (kind === 'half-open') {
        for (const route of ['GET /v1/:sid', 'GET /v1/:sid/isolation'])
          faults.set('slow', undefined, { delayMs: FOR_EVER_MS, route });
        faults.set('dropped', undefined, { route: 'POST /v1/:sid/isolation' });
      }
      return () => faults.clear();
    }
    case 'Slack': {
      const { faults } = slack;
      if (kind === 'slow') faults.add({ kind: 'stalled-body', stored: true });
      if (kind === '429') faults.add({ kind: 'rate-limited', retryAfterSeconds: 2 });
      if (kind === '500') faults.add({ kind: 'server-error' });
      if (kind === 'half-open') faults.add({ kind: 'hang' });
      return () => faults.clear();
    }
    case 'mail': {
      const { faults } = mail;
      if (kind === 'slow') faults.add({ kind: 'slow', stage: 'data', delayMs: 3000 });
      if (kind === '429') faults.add({ kind: 'reply', code: 451, stage: 'data' });
      if (kind === '500') faults.add({ kind: 'reply', code: 421, stage: 'mail' });
      if (kind === 'half-open') faults.add({ kind: 'hang', stage: 'data' });
      return () => faults.clear();
    }
  }
  return () => undefined;
}
