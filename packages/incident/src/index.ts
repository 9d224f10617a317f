export {
  ask,
  canRelease,
  decide,
  type DecideCommand,
  type Decision,
  expire,
  type Policy,
  type Refusal,
  type ReleaseCommand,
  requestRelease,
} from './decide.ts';
export { connectionOf, describe, describeMoment, type Description, type Tone } from './describe.ts';
export { evolve } from './evolve.ts';
export { commandLineOf, detailsOf, detectedAt, type Fact, factsOf, findingFacts } from './facts.ts';
export { factsDigest, findingOf, incidentIdOf } from './finding.ts';
export {
  type EndpointState,
  type Finding,
  type Incident,
  isClosed,
  type Moment,
  NOTHING_HAPPENED,
  type Sent,
  type Status,
} from './state.ts';
