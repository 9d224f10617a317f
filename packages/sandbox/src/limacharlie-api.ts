import formbody from '@fastify/formbody';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import { DetectionQuery, pageOf, storedCopy, type StoredDetection } from './limacharlie-detections.ts';
import type { createFaults } from './limacharlie-faults.ts';
import type { Sensor, superviseSensors } from './limacharlie-sensors.ts';
import { isAuthorized, issueToken } from './limacharlie-token.ts';

export type Calls = {
  /** Isolation calls that reached the sensor's record, whatever became of their answer. */
  isolation: { method: 'POST' | 'DELETE'; sid: string; at: number }[];
  /** Every call that arrived, failed ones included, by method and route: "POST /v1/:sid/isolation". */
  counts: Record<string, number>;
};

export type Cloud = {
  oid: string;
  apiKey: string;
  tokenLifeMs: number;
  sensors: Sensor[];
  supervision: ReturnType<typeof superviseSensors>;
  detections: () => StoredDetection[];
  faults: ReturnType<typeof createFaults>;
  calls: Calls;
};

const Sid = z.object({ sid: z.string() });
const Oid = z.object({ oid: z.string() });
const Exchange = z.object({ oid: z.string().default(''), secret: z.string().default('') });
const Online = z.object({ sids: z.union([z.string().transform((sid) => [sid]), z.array(z.string())]).default([]) });
const SensorQuery = z.object({
  // Evaluating half of the selector language would answer with the wrong sensors.
  selector: z.enum(['', '*'], { error: 'the stand-in lists all sensors: no selector' }).default(''),
  limit: z.coerce.number().int().positive().default(1000),
  continuation_token: z.coerce.number().int().nonnegative().default(0),
  is_online_only: z.stringbool().default(false),
  is_compressed: z.stringbool().default(false),
});

const messages = {
  '401': 'unauthorized',
  '403': 'missing privilege',
  '429': 'rate limit exceeded',
  '500': 'internal error',
  '504': 'gateway timeout',
};

/** The part of LimaCharlie's REST API that Cordon uses: form in, JSON out (LimaCharlie docs: "API Keys", the public SDKs). */
export async function serveApi(api: FastifyInstance, cloud: Cloud): Promise<void> {
  const { oid, apiKey, sensors, supervision, faults, calls } = cloud;
  await api.register(formbody);
  api.removeContentTypeParser('application/json'); // the vendor takes forms: a client that sends JSON has to notice here

  const answersLost = new WeakSet<FastifyRequest>();
  api.addHook('onRequest', async (request, reply) => {
    const route = `${request.method} ${request.routeOptions.url ?? ''}`;
    calls.counts[route] = (calls.counts[route] ?? 0) + 1;
    const { delayMs, fault } = faults.take(route);
    if (delayMs > 0) await delay(delayMs, undefined, { ref: false });
    if (fault?.kind === 'answer-lost') {
      answersLost.add(request);
    } else if (fault?.kind === 'dropped') {
      request.raw.destroy();
      return reply.hijack();
    } else if (fault && fault.kind !== 'slow') {
      if (fault.kind === '429') reply.headers({ 'X-RateLimit-Quota': 100, 'X-RateLimit-Period': fault.periodSeconds });
      return refuse(reply, Number(fault.kind), messages[fault.kind]);
    }
    if (route !== 'POST /jwt' && !isAuthorized(request.headers.authorization, oid, apiKey)) {
      return refuse(reply, 401, messages['401']);
    }
    return undefined;
  });
  api.addHook('onSend', async (request) => {
    if (answersLost.has(request)) request.raw.destroy();
  });

  api.post('/jwt', async (request, reply) => {
    const exchange = Exchange.parse(request.body ?? {});
    if (exchange.secret === '') return refuse(reply, 400, 'missing secret');
    if (exchange.secret !== apiKey || exchange.oid !== oid) return refuse(reply, 401, 'unknown api key');
    return { jwt: issueToken(oid, apiKey, cloud.tokenLifeMs) };
  });

  api.get('/v1/who', async () => ({
    ident: 'cordon-responder',
    orgs: [oid],
    perms: ['insight.det.get', 'org.get', 'sensor.get', 'sensor.list', 'sensor.task'],
  }));

  const ofSensor = (request: FastifyRequest, reply: FastifyReply, answer: (sensor: Sensor) => object): object => {
    const sensor = supervision.find(Sid.parse(request.params).sid);
    return sensor ? answer(sensor) : refuse(reply, 404, 'sensor not found');
  };
  api.get('/v1/:sid', (request, reply) => ofSensor(request, reply, (sensor) => sensorRecord(sensor, oid)));
  // Tasks are accepted and not carried out; for a sensor that is offline the vendor does not queue them either.
  api.post('/v1/:sid', (request, reply) => ofSensor(request, reply, () => ({})));
  api.get('/v1/:sid/isolation', (request, reply) =>
    ofSensor(request, reply, ({ isolated, shouldIsolate }) => ({
      is_isolated: isolated,
      should_isolate: shouldIsolate,
    })),
  );
  for (const method of ['POST', 'DELETE'] as const) {
    api.route({
      method,
      url: '/v1/:sid/isolation',
      handler: (request, reply) =>
        ofSensor(request, reply, (sensor) => {
          calls.isolation.push({ method, sid: sensor.sid, at: Date.now() });
          supervision.wish(sensor, method === 'POST');
          return {};
        }),
    });
  }

  const ofOrganisation = (request: FastifyRequest, reply: FastifyReply, answer: () => object): object =>
    Oid.parse(request.params).oid === oid ? answer() : refuse(reply, 401, 'unauthorized: not a token of this oid');

  api.post('/v1/online/:oid', (request, reply) =>
    ofOrganisation(request, reply, () => {
      const { sids } = Online.parse(request.body ?? {});
      return Object.fromEntries(sids.map((sid) => [sid, supervision.find(sid)?.online ?? false]));
    }),
  );
  api.get('/v1/sensors/:oid', (request, reply) =>
    ofOrganisation(request, reply, () => {
      const query = SensorQuery.parse(request.query);
      const listed = sensors.filter((sensor) => sensor.online || !query.is_online_only);
      const end = query.continuation_token + query.limit;
      const page = listed.slice(query.continuation_token, end).map((sensor) => sensorRecord(sensor, oid).info);
      return {
        sensors: query.is_compressed ? compressed(page) : page,
        continuation_token: end < listed.length ? String(end) : '',
      };
    }),
  );
  api.get('/v1/insight/:oid/detections', (request, reply) =>
    ofOrganisation(request, reply, () => {
      const query = DetectionQuery.parse(request.query);
      const { detects, next_cursor } = pageOf(cloud.detections(), query);
      return { detects: query.is_compressed ? compressed(detects) : detects, next_cursor };
    }),
  );
  api.get('/v1/insight/:oid/detections/:detectId', (request, reply) =>
    ofOrganisation(request, reply, () => {
      const { detectId } = z.object({ detectId: z.string() }).parse(request.params);
      const found = cloud.detections().find(({ record }) => record['detect_id'] === detectId);
      return found ? storedCopy(found) : refuse(reply, 404, 'detection not found');
    }),
  );
}

function refuse(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).send({ error });
}

function compressed(list: object[]): string {
  return gzipSync(JSON.stringify(list)).toString('base64');
}

/** The sensor record of `GET /v1/{sid}`; what is inside `online` is not documented. */
function sensorRecord(sensor: Sensor, oid: string) {
  const { sid, iid, hostname, plat, arch, online } = sensor;
  return {
    info: {
      oid,
      iid,
      sid,
      did: '',
      plat,
      arch,
      hostname: hostname.toLowerCase(),
      int_ip: sensor.internalIp,
      ext_ip: sensor.externalIp,
      enroll: timestamp(sensor.enrolledAt),
      alive: timestamp(online ? Date.now() : sensor.lastSeenAt),
      isolated: sensor.isolated,
      should_isolate: sensor.shouldIsolate,
      kernel: true,
      should_seal: false,
    },
    online: online ? { connected: true } : {},
    is_online: online,
  };
}

function timestamp(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}
