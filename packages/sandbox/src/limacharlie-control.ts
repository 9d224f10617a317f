import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { FaultKind, FaultLimits } from './limacharlie-faults.ts';
import { Webhook } from './limacharlie-output.ts';
import type { LimaCharlieSandbox } from './limacharlie.ts';

const FaultRequest = FaultLimits.extend({ kind: FaultKind, count: z.int().positive().optional() });
const AnyRecord = z.record(z.string(), z.unknown());

/** The stand-in's own controls over HTTP, for a test or a page in another process: JSON in, JSON out, under `/_control`. */
export async function serveControl(control: FastifyInstance, sandbox: LimaCharlieSandbox): Promise<void> {
  control.get('/state', () => ({
    sensors: sandbox.sensors(),
    calls: sandbox.calls,
    faults: sandbox.faults.list(),
    paused: sandbox.isOutputPaused(),
  }));
  control.post('/online', (request) => {
    const { sid, online } = z.strictObject({ sid: z.string(), online: z.boolean() }).parse(request.body);
    sandbox.setOnline(sid, online);
    return {};
  });
  control.post('/isolated', (request) => {
    const { sid, isolated } = z.strictObject({ sid: z.string(), isolated: z.boolean() }).parse(request.body);
    sandbox.setIsolated(sid, isolated);
    return {};
  });
  control.post('/faults', (request) => {
    const { kind, count, ...limits } = FaultRequest.parse(request.body);
    sandbox.faults.set(kind, count, limits);
    return {};
  });
  control.post('/faults/clear', (request) => {
    sandbox.faults.clear(z.strictObject({ kind: FaultKind.optional() }).parse(request.body).kind);
    return {};
  });
  control.post('/webhook', (request) => {
    sandbox.setWebhook(Webhook.parse(request.body));
    return {};
  });
  control.post('/raise', (request) => sandbox.raise(AnyRecord.parse(request.body)));
}
