import { NatsConnectionImpl, type NatsConnection } from '@nats-io/transport-node';

/**
 * Sends in one write what the messages that were read together cause. By itself the client writes after every promise that
 * resolves, and at many incidents per second these writes are the largest part of what a service does.
 */
export function writeTogether(connection: NatsConnection): void {
  if (!(connection instanceof NatsConnectionImpl)) return;
  const { transport } = connection.protocol;
  const send = transport.send.bind(transport);
  let frames: Uint8Array[] = [];
  transport.send = (frame) => {
    if (frames.push(frame) > 1) return;
    process.nextTick(() => {
      const all = frames;
      frames = [];
      send(Buffer.concat(all));
    });
  };
}
