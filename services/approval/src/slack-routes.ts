import type { FastifyInstance } from 'fastify';
import type { AnswerSlack } from './slack-decisions.ts';
import { isSignedBySlack } from './slack-signature.ts';

/** Slack sends the whole message with every press. */
const BODY_LIMIT = 256 * 1024;

/** Where Slack reports what people do. What Slack did not sign, just now, is not even read. */
export function slackRoutes(app: FastifyInstance, signingSecret: string, answer: AnswerSlack): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit: BODY_LIMIT },
    (_request, body, done) => done(null, body),
  );
  app.post('/slack/interactions', async (request, reply) => {
    const { body } = request;
    if (!Buffer.isBuffer(body) || !isSignedBySlack(signingSecret, request.headers, body, new Date())) {
      return reply.code(401).send();
    }
    const payload = payloadOf(body);
    if (payload === undefined) return reply.code(400).send();
    return reply.send((await answer(payload)) ?? '');
  });
}

function payloadOf(body: Buffer): unknown {
  try {
    return JSON.parse(new URLSearchParams(body.toString('utf8')).get('payload') ?? '');
  } catch {
    return undefined;
  }
}
