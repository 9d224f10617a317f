import { JetStreamApiError } from '@nats-io/jetstream';

/** Trying again cannot help. The message is kept as a dead letter with this reason. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError';
}

/** Not now: the message comes back after `delayMs`, however often. For a vendor's 429, an outage, or something to wait for. */
export class RetryLaterError extends Error {
  override readonly name = 'RetryLaterError';
  readonly delayMs: number;
  constructor(delayMs: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.delayMs = Math.ceil(delayMs); // the broker takes whole units only
  }
}

/** The broker cannot be reached or did not acknowledge in time. Whether the message was stored is not known. */
export class BrokerUnavailableError extends Error {
  override readonly name = 'BrokerUnavailableError';
}

/** The message is larger than the broker accepts. */
export class TooLargeError extends Error {
  override readonly name = 'TooLargeError';
}

const WRONG_LAST_SEQUENCE = new Set([10071, 10164]);

/** Somebody else appended first (or our own unanswered attempt did). */
export function isConflict(error: unknown): boolean {
  return error instanceof JetStreamApiError && WRONG_LAST_SEQUENCE.has(error.code);
}

const TRANSIENT = new Set([
  'TimeoutError',
  'JetStreamNotEnabled',
  'NoRespondersError',
  'RequestError',
  'ConnectionError',
  'ClosedConnectionError',
  'DrainingConnectionError',
  'BrokerUnavailableError',
  'JetStreamStatusError',
]);
const STREAM_FULL = 10077;
/** An earlier attempt with this id is still on its way to the replicas; the leader takes more than it can keep up with. */
const NOT_NOW = new Set([10158, 10167]);

/** The broker or the way to it is at fault, not the message: such a failure never counts against a message. */
export function isBrokerFault(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.status >= 500 || NOT_NOW.has(error.code);
  return error instanceof Error && TRANSIENT.has(error.name);
}

/** A publish that may be repeated with the same id. A full stream is back-pressure, not an outage. */
export function isWorthRepeating(error: unknown): boolean {
  return isBrokerFault(error) && !(error instanceof JetStreamApiError && error.code === STREAM_FULL);
}
