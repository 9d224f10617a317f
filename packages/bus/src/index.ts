export { type Bus, type BusOptions, connectBus, type Deadline, DeadLetter, Quarantined } from './bus.ts';
export type { Consumption, Handler } from './consume.ts';
export type { Appended, EndpointLog, View } from './endpoint-log.ts';
export { BrokerUnavailableError, isConflict, PermanentError, RetryLaterError, TooLargeError } from './errors.ts';
export { BUCKETS, CONSUMERS, DUPLICATE_WINDOW_MS, STREAMS } from './topology.ts';
