import { fastify } from 'fastify';
import { z } from 'zod';
import { serveApi, type Calls } from './limacharlie-api.ts';
import { serveControl } from './limacharlie-control.ts';
import { keepDetection, StoredDetection } from './limacharlie-detections.ts';
import { createFaults } from './limacharlie-faults.ts';
import { startOutput, type Delivery, type Webhook } from './limacharlie-output.ts';
import { Sensor, superviseSensors } from './limacharlie-sensors.ts';
import { persisted } from './persisted.ts';

const State = z.object({ sensors: z.array(Sensor), detections: z.array(StoredDetection) });

export interface LimaCharlieOptions {
  oid: string;
  apiKey: string;
  /** 0, the default, takes a free one. */
  port?: number;
  /** Those a state file already knows keep the state they had. */
  sensors?: z.input<typeof Sensor>[];
  /** Where detections are posted; without it they are only kept for the API. */
  webhook?: z.input<typeof Webhook>;
  /** How long an online sensor takes to isolate or rejoin, in milliseconds: 1500. */
  isolationLagMs?: number;
  /** How long the output stays off after a failed delivery, in milliseconds: 5000. */
  pauseMs?: number;
  /** How long a token is valid, in milliseconds: one hour. */
  tokenLifeMs?: number;
  /** JSON file through which sensors, isolation and detections survive a restart. Without it they do not. */
  stateFile?: string;
}

/** A stand-in for the LimaCharlie cloud on loopback. */
export interface LimaCharlieSandbox extends AsyncDisposable {
  readonly oid: string;
  /** Base of the REST API, to which a client adds `/v1/...`. */
  readonly apiUrl: string;
  /** Where an API key is exchanged for a token. */
  readonly jwtUrl: string;
  readonly faults: ReturnType<typeof createFaults>;
  readonly calls: Calls;
  /** A copy of every sensor as it is now. */
  sensors(): Sensor[];
  /** Connects or disconnects a sensor. Throws for an unknown one. */
  setOnline(sid: string, online: boolean): void;
  /** Resolves while the sensor is online, or once it is. */
  whenOnline(sid: string): Promise<void>;
  /** Changes the state on the endpoint behind the cloud's back: the wish stays as it was. */
  setIsolated(sid: string, isolated: boolean): void;
  /** Saves the output's configuration anew, which also ends a pause. */
  setWebhook(webhook: z.input<typeof Webhook> | undefined): void;
  isOutputPaused(): boolean;
  /**
   * Keeps a detection for the API and sends it to the webhook once. Raising it again sends it again, as a vendor that
   * delivers twice. Resolves with what became of the delivery; a failed one is not an error.
   */
  raise(detection: Record<string, unknown>): Promise<Delivery>;
  close(): Promise<void>;
}

/**
 * Starts a stand-in for LimaCharlie's REST API, token exchange and webhook output. Resolves when it accepts connections.
 *
 * Throws when the port is taken, or the state file or a sensor is not what it should be.
 */
export async function startLimaCharlie(options: LimaCharlieOptions): Promise<LimaCharlieSandbox> {
  const { oid, apiKey, isolationLagMs = 1500, pauseMs = 5000, tokenLifeMs = 3_600_000 } = options;
  const file = persisted<z.input<typeof State>>(options.stateFile, { sensors: [], detections: [] });
  const state = State.parse(file.value);
  file.value = state;
  const given = z.array(Sensor).parse(options.sensors ?? []);
  state.sensors.push(...given.filter(({ sid }) => !state.sensors.some((known) => known.sid === sid)));
  const save = (): void => file.save();
  save();

  const faults = createFaults();
  const calls: Calls = { isolation: [], counts: {} };
  const supervision = superviseSensors(state.sensors, { lagMs: isolationLagMs, save });
  const output = startOutput({ pauseMs });
  output.configure(options.webhook);

  const server = fastify({ forceCloseConnections: true });
  server.setErrorHandler((error, _, reply) =>
    error instanceof z.ZodError ? reply.code(400).send({ error: z.prettifyError(error) }) : reply.send(error),
  );

  let url = '';
  const sandbox: LimaCharlieSandbox = {
    oid,
    get apiUrl() {
      return url;
    },
    get jwtUrl() {
      return `${url}/jwt`;
    },
    faults,
    calls,
    sensors: () => structuredClone(state.sensors),
    setOnline: supervision.setOnline,
    whenOnline: supervision.whenOnline,
    setIsolated: supervision.setIsolated,
    setWebhook: output.configure,
    isOutputPaused: output.isPaused,
    async raise(detection) {
      keepDetection(state.detections, detection);
      save();
      // Internal by the vendor's convention: kept, but not sent to outputs (LimaCharlie docs: "Response Actions").
      if (String(detection['cat']).startsWith('__')) return { delivered: false, reason: 'not published' };
      return output.deliver(detection);
    },
    async close() {
      supervision.stop();
      output.close();
      await server.close();
    },
    [Symbol.asyncDispose]: () => sandbox.close(),
  };

  await server.register(async (api) =>
    serveApi(api, {
      oid,
      apiKey,
      tokenLifeMs,
      sensors: state.sensors,
      supervision,
      detections: () => state.detections,
      faults,
      calls,
    }),
  );
  await server.register(async (control) => serveControl(control, sandbox), { prefix: '/_control' });
  url = await server.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  return sandbox;
}
