/*
 * Every way in which a call to the EDR can fail, by what the caller should do about it. No message ever holds a key or
 * a token; all of them are sentences that a person may be shown.
 */

/** No answer, or a 5xx, after all attempts inside the call: try again later. The wish may have been carried out. */
export class EdrUnavailable extends Error {
  override readonly name = 'EdrUnavailable';
  readonly kind = 'unavailable';
}

/** The quota is used up. Nothing was slept off here: whoever queues the work waits `retryAfterMs`. */
export class EdrRateLimited extends Error {
  override readonly name = 'EdrRateLimited';
  readonly kind = 'rate-limited';
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The key is not accepted, or lacks a permission: a person has to act. The message names what is missing. */
export class EdrDenied extends Error {
  override readonly name = 'EdrDenied';
  readonly kind = 'denied';
}

/** The EDR understood and said no, or said something that is not understood: trying again cannot help. */
export class EdrRejected extends Error {
  override readonly name = 'EdrRejected';
  readonly kind = 'rejected';
  /** The HTTP status. */
  readonly status: number;
  constructor(message: string, status: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** The closed set of what a client method throws. */
export type EdrError = EdrUnavailable | EdrRateLimited | EdrDenied | EdrRejected;
