export {
  ask,
  type Asking,
  canRelease,
  decide,
  type DecideCommand,
  type Decision,
  hasVoted,
  objectionTo,
  type Refusal,
  type ReleaseCommand,
  requestRelease,
} from './decide.ts';
export { connectionOf, decidersOf, describe, describeMoment, type Description, type Tone } from './describe.ts';
export { evolve } from './evolve.ts';
export { commandLineOf, detailsOf, detectedAt, type Fact, factsOf, findingFacts } from './facts.ts';
export { factsDigest, findingOf, incidentIdOf } from './finding.ts';
export { genuine, isGenuineVote } from './genuine.ts';
export { machineOf } from './machine.ts';
export { nextDeadline, onTime, releaseDueAt } from './on-time.ts';
export { isSamePerson } from './person.ts';
export {
  type EndpointState,
  type Finding,
  type Incident,
  isClosed,
  type Moment,
  NOTHING_HAPPENED,
  type Question,
  type Sent,
  type Status,
} from './state.ts';
