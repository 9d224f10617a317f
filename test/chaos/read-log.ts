import { connectOperator, eventIn } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';

/** Everything in the log so far, in order. */
export async function readLog(url: string): Promise<StoredEvent[]> {
  await using operator = await connectOperator({ url, name: 'reader' });
  return await Array.fromAsync(operator.read({ seq: 1, filter: 'cordon.events.>' }), eventIn);
}
