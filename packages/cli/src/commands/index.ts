import type { Command } from '../command.ts';
import { auditExport } from './audit-export.ts';
import { auditVerify } from './audit-verify.ts';
import { dlqDiscard } from './dlq-discard.ts';
import { dlqList } from './dlq-list.ts';
import { dlqRedrive } from './dlq-redrive.ts';
import { dlqShow } from './dlq-show.ts';
import { doctor } from './doctor.ts';
import { incident } from './incident.ts';
import { incidents } from './incidents.ts';
import { policyCheck } from './policy-check.ts';
import { policyExplain } from './policy-explain.ts';
import { policyWhatIf } from './policy-what-if.ts';
import { replay } from './replay.ts';
import { simulate } from './simulate.ts';
import { tail } from './tail.ts';
import { topology } from './topology.ts';

export const COMMANDS: readonly Command[] = [
  doctor,
  tail,
  incidents,
  incident,
  dlqList,
  dlqShow,
  dlqRedrive,
  dlqDiscard,
  replay,
  policyCheck,
  policyExplain,
  policyWhatIf,
  auditExport,
  auditVerify,
  simulate,
  topology,
];
