import type { KeyObject } from 'node:crypto';
import type { EndpointLog, View } from '@cordon/bus';
import { genuine } from '@cordon/incident';
import { signWith } from './sign.ts';

/**
 * The log as this service goes by it. Others may be able to write to the broker: what is appended here is signed, and of
 * questions and votes only those count that one of these keys signed.
 */
export function signedLog(log: EndpointLog, key: KeyObject, keys: readonly KeyObject[]): EndpointLog {
  const sign = signWith(key);
  const believed = (view: View): View => ({ ...view, state: genuine(view.state, keys) });
  return {
    ...log,
    load: async (endpoint, atLeast) => believed(await log.load(endpoint, atLeast)),
    async transact(endpoint, decide, atLeast) {
      const result = await log.transact(endpoint, (state) => sign(decide(genuine(state, keys))), atLeast);
      return 'refused' in result ? result : { ...result, view: believed(result.view) };
    },
  };
}
