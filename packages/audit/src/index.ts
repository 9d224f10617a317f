export { audited } from './audited.ts';
export { AuditedEvent, AuditRecord, type Head, lineOf, nextRecord, NOTHING_RECORDED, recordIn } from './record.ts';
export { Seal, sealIn, sealOf } from './seal.ts';
export { type Summary, summarize } from './summary.ts';
export { type Checked, type Rules, verifyLines } from './verify.ts';
