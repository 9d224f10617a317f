import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { createTickets } from './slack-tickets.ts';

const PING_MS = 10_000;
const TICKET_MS = 30_000;
/** An answer that comes later than this is not waited for by anybody. */
const FORGET_MS = 60_000;
const Acknowledgement = z.object({ envelope_id: z.string(), payload: z.looseObject({}).optional() });

export interface SocketMode {
  /** A path that an app may open a WebSocket at, once: `apps.connections.open`. */
  invite(): string;
  /** How many sockets are open. */
  count(): number;
  /** Sends an interaction over one of them and resolves with what it is acknowledged with. */
  send(payload: object): Promise<unknown>;
  /** Tells every app to connect anew, as Slack does every few hours. */
  refresh(): void;
  close(): void;
}

/** Slack's side of Socket Mode: greets, pings, and knows what was acknowledged. */
export function createSocketMode(server: Server, appId: string): SocketMode {
  const tickets = createTickets<true>({ lifeMs: TICKET_MS, uses: 1 });
  const webSockets = new WebSocketServer({ noServer: true });
  const waiting = new Map<string, (answer: unknown) => void>();

  server.on('upgrade', (request, socket, head) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1');
    if (pathname !== '/link/' || 'refused' in tickets.redeem(searchParams.get('ticket') ?? '')) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n');
      return;
    }
    webSockets.handleUpgrade(request, socket, head, greet);
  });

  function greet(socket: WebSocket): void {
    socket.addEventListener('message', ({ data }) => {
      if (typeof data !== 'string') return;
      const { envelope_id, payload } = Acknowledgement.parse(JSON.parse(data));
      waiting.get(envelope_id)?.(payload);
      waiting.delete(envelope_id);
    });
    const ping = setInterval(() => socket.ping(), PING_MS);
    socket.on('close', () => clearInterval(ping));
    socket.on('error', () => socket.terminate());
    say(socket, {
      type: 'hello',
      connection_info: { app_id: appId },
      num_connections: webSockets.clients.size,
      debug_info: { host: 'applink-sandbox', approximate_connection_time: 18_060 },
    });
  }

  const open = (): WebSocket[] => [...webSockets.clients].filter(({ readyState, OPEN }) => readyState === OPEN);

  return {
    invite: () => `/link/?ticket=${tickets.issue(true)}&app_id=${appId}`,
    count: () => open().length,
    send(payload) {
      const [socket] = open();
      if (!socket) return Promise.reject(new Error('no socket is open'));
      const envelope_id = randomUUID();
      say(socket, { envelope_id, type: 'interactive', accepts_response_payload: true, payload });
      setTimeout(() => waiting.delete(envelope_id), FORGET_MS).unref();
      return new Promise((resolve) => waiting.set(envelope_id, resolve));
    },
    refresh() {
      for (const socket of open()) say(socket, { type: 'disconnect', reason: 'refresh_requested', debug_info: {} });
    },
    close() {
      for (const socket of webSockets.clients) socket.terminate();
      webSockets.close();
    },
  };
}

function say(socket: WebSocket, message: object): void {
  socket.send(JSON.stringify(message));
}
