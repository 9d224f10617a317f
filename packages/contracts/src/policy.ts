import { z } from 'zod';
import { defineEvent, type Endpoint, type EventOf } from './event.ts';

/** A policy belongs to no machine: its events stand in a log of their own. */
export const POLICY_LOG: Endpoint = { tenantId: 'cordon', endpointId: 'policy' };

/** Another policy is in force from now on. Questions that are open keep the terms they were asked on. */
export const PolicyChanged = defineEvent(
  'policy.changed',
  z.object({
    version: z.string(),
    /** The version before; absent for the first one. */
    before: z.string().optional(),
    /** The whole text of the file. */
    text: z.string().max(262_144),
  }),
);
export type PolicyChanged = EventOf<typeof PolicyChanged>;
