import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { fastify } from 'fastify';

// What ingest is measured against: the least that could be called a webhook receiver. It verifies the same signature and
// publishes the bytes it received to the same stream, with an id, and answers after the broker's acknowledgement.

const secret = process.env['LIMACHARLIE_WEBHOOK_SECRETS'] ?? '';
const js = jetstream(await connect({ servers: process.env['NATS_URL'] ?? '' }));
const app = fastify({ logger: false });
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/webhooks/limacharlie', async (request, reply) => {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const given = Buffer.from(String(request.headers['lc-signature'] ?? ''), 'hex');
  const expected = createHmac('sha256', secret).update(body).digest();
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    return reply.code(401).send({ status: 'refused' });
  const msgID = createHash('sha256').update(body).digest('hex');
  await js.publish('cordon.events.bench', body, { msgID }); // the same stream; no service reads this subject
  return reply.code(202).send({ status: 'stored' });
});
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) });
