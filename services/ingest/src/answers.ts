/** What became of a webhook that was taken: stored, stored before, or kept in quarantine for an operator. */
export type Outcome = 'stored' | 'duplicate' | 'quarantined';

/** Every answer to a webhook that was not taken. The message says what to do, to whoever reads it in LimaCharlie's log. */
export const REFUSALS = {
  empty: { status: 400, message: 'The body is empty. Send one detection as JSON, a JSON array, or JSON lines.' },
  bad_form: { status: 400, message: 'The form needs exactly one field `data`, which holds the detection as JSON.' },
  bad_gzip: { status: 400, message: 'The body is not the gzip that Content-Encoding says it is.' },
  bad_request: { status: 400, message: 'The request could not be read. Check its headers and send it again.' },
  unauthorized: {
    status: 401,
    message:
      'The signature in Lc-Signature is missing or does not fit. Nothing was stored. Compare secret_key of the ' +
      'LimaCharlie output with LIMACHARLIE_WEBHOOK_SECRETS.',
  },
  not_found: { status: 404, message: 'There is nothing here. Webhooks go to POST /webhooks/limacharlie.' },
  method_not_allowed: { status: 405, message: 'Webhooks are taken by POST only.' },
  timeout: { status: 408, message: 'The request took too long to arrive. Send it again.' },
  length_required: { status: 411, message: 'Send Content-Length, or Transfer-Encoding: chunked.' },
  too_large: {
    status: 413,
    message: 'The body is too large. Raise BODY_LIMIT_BYTES (and max_payload of the broker), or send smaller batches.',
  },
  unsupported_type: {
    status: 415,
    message: 'Send application/json, application/x-ndjson, text/plain or application/x-www-form-urlencoded.',
  },
  unsupported_encoding: { status: 415, message: 'Send the body as it is or with Content-Encoding: gzip.' },
  failed: { status: 500, message: 'Something went wrong here. Send it again; the log says what it was.' },
  unavailable: { status: 503, message: 'The broker did not acknowledge. Send it again: repetitions do no harm.' },
} as const;
export type Refusal = keyof typeof REFUSALS;
