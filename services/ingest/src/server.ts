import { STATUS_CODES } from 'node:http';
import { TooLargeError } from '@cordon/bus';
import { parseWebhook } from '@cordon/limacharlie';
import type { Logger } from '@cordon/service';
import { fastify, type FastifyReply, type FastifyRequest } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import { type Outcome, type Refusal, REFUSALS } from './answers.ts';
import type { Keeper, Receipt } from './store.ts';
import { packingOf, unpack } from './unpack.ts';
import { isSigned } from './verify-signature.ts';

const PATH = '/webhooks/limacharlie';
const RETRY_AFTER_SECONDS = 5;

export type WebhookServerOptions = {
  keeper: Keeper;
  secrets: readonly string[];
  host: string;
  /** 0 takes a free one. */
  port: number;
  bodyLimitBytes: number;
  /** How long a request may take to arrive. */
  requestTimeoutMs?: number;
  /** Hears of every 503: LimaCharlie does not send again what got one. */
  onUnavailable?: () => void;
  log: Logger;
  metrics: Registry;
};
export type WebhookServer = { port: number; close(): Promise<void> };

/**
 * Serves `POST /webhooks/limacharlie`. 2xx is answered only after the broker acknowledged every record of the request;
 * what is authentic and not understood is kept in quarantine and answered with 202 as well, because LimaCharlie pauses
 * an output that gets errors. Every other answer is in `REFUSALS`.
 */
export async function serveWebhooks(options: WebhookServerOptions): Promise<WebhookServer> {
  const { keeper, secrets, host, port, bodyLimitBytes, requestTimeoutMs = 15_000, log, metrics } = options;
  const requests = new Counter({
    name: 'cordon_webhook_requests_total',
    help: 'Requests to the webhook, by what was answered',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  const app = fastify({
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestTimeoutMs,
    http: {
      headersTimeout: requestTimeoutMs, // while it is the longer one (60 s unless set), Node does not enforce the other
      connectionsCheckingInterval: Math.min(1000, requestTimeoutMs), // Node looks for slow requests this often
    },
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) {
        socket.destroy();
        return;
      }
      const refusal = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'timeout' : 'bad_request';
      requests.inc({ outcome: refusal });
      socket.end(bareAnswer(refusal), () => socket.destroy());
    },
  });

  function refuse(reply: FastifyReply, refusal: Refusal): FastifyReply {
    const { status, message } = REFUSALS[refusal];
    if (!reply.raw.destroyed) requests.inc({ outcome: refusal });
    if (refusal === 'unavailable') {
      reply.header('retry-after', RETRY_AFTER_SECONDS);
      options.onUnavailable?.();
    }
    if (refusal === 'method_not_allowed') reply.header('allow', 'POST');
    if (refusal === 'unsupported_encoding') reply.header('accept-encoding', 'gzip');
    return reply.code(status).send({ error: refusal, message });
  }

  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) done();
    else refuse(reply, request.url.split('?')[0] === PATH ? 'method_not_allowed' : 'not_found');
  });
  app.setErrorHandler((error, _request, reply) => {
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
    if (status === 413) return refuse(reply, 'too_large');
    if (status === 415) return refuse(reply, 'unsupported_type');
    if (status < 500) return refuse(reply, 'bad_request');
    log.error({ err: error }, 'webhook failed');
    return refuse(reply, 'failed');
  });
  // The signature covers bytes: nothing may parse them before it was checked.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  /** What can be said before the body is read. */
  function checkHeaders({ headers }: FastifyRequest, reply: FastifyReply, done: () => void): void {
    const packing = packingOf(headers['content-type'] ?? '', headers['content-encoding'] ?? '');
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) {
      refuse(reply, 'length_required');
    } else if ('refusal' in packing) refuse(reply, packing.refusal);
    else if (signatureIn(headers) === undefined) unauthorized(reply);
    else done();
  }

  function unauthorized(reply: FastifyReply): FastifyReply {
    log.warn({ from: reply.request.ip }, 'webhook with a missing or bad signature');
    return refuse(reply, 'unauthorized');
  }

  app.post(PATH, { onRequest: checkHeaders }, async ({ headers, body }, reply) => {
    const received = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    const mediaType = headers['content-type'] ?? '';
    const packing = packingOf(mediaType, headers['content-encoding'] ?? '');
    if ('refusal' in packing) return refuse(reply, packing.refusal);
    const signature = signatureIn(headers);
    const unpacked = await unpack(received, packing, bodyLimitBytes);
    if ('refusal' in unpacked) {
      const isStranger = unpacked.refusal === 'bad_gzip' && !isSigned(received, signature, secrets);
      return isStranger ? unauthorized(reply) : refuse(reply, unpacked.refusal);
    }
    if (!unpacked.signable.some((message) => isSigned(message, signature, secrets))) return unauthorized(reply);

    try {
      const outcomes = await keepAll(unpacked.body, { receivedAt: new Date(), mediaType });
      if (outcomes.length === 0) return refuse(reply, 'empty');
      const { status, message, counts } = summaryOf(outcomes);
      requests.inc({ outcome: status });
      return await reply.code(202).send({ status, message, ...(outcomes.length > 1 && { counts }) });
    } catch (error) {
      log.error({ err: error }, 'webhook not stored');
      return refuse(reply, error instanceof TooLargeError ? 'too_large' : 'unavailable');
    }
  });

  async function keepAll(body: Buffer, receipt: Receipt): Promise<Outcome[]> {
    const text = decoded(body);
    if (text === undefined) return [await keeper.quarantine(body, 'The body is not valid UTF-8.', receipt)];
    return keeper.keepAll(parseWebhook(text), receipt);
  }

  await app.listen({ host, port });
  const address = app.server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    close: () => app.close(),
  };
}

/** For a connection that never got as far as a request. */
function bareAnswer(refusal: Refusal): string {
  const { status, message } = REFUSALS[refusal];
  const body = JSON.stringify({ error: refusal, message });
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, `Content-Length: ${Buffer.byteLength(body)}`];
  return [...head, 'Content-Type: application/json', 'Connection: close', '', body].join('\r\n');
}

function signatureIn(headers: FastifyRequest['headers']): string | undefined {
  const value = headers['lc-signature'];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decoded(body: Buffer): string | undefined {
  try {
    return utf8.decode(body);
  } catch {
    return undefined;
  }
}

const MESSAGES: Record<Outcome, string> = {
  stored: 'Stored. There is nothing left to do.',
  duplicate: 'Stored before. There is nothing left to do.',
  quarantined: 'Kept, but not understood: an operator was told. Sending it again does not help.',
};

/** The most telling outcome speaks for a batch: something new, then something not understood. */
function summaryOf(outcomes: readonly Outcome[]) {
  const counts = { stored: 0, duplicate: 0, quarantined: 0 };
  for (const outcome of outcomes) counts[outcome]++;
  const status: Outcome = counts.stored > 0 ? 'stored' : counts.quarantined > 0 ? 'quarantined' : 'duplicate';
  return { status, message: MESSAGES[status], counts };
}
