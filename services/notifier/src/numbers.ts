import { Counter, Histogram, type Registry } from 'prom-client';

export type Channel = 'slack' | 'email';
/** `sent`, `adopted` (found to have been sent before a crash), `refused` for good, `delayed` (comes back later), `repeated` (perhaps a double). */
export type Outcome = 'sent' | 'adopted' | 'refused' | 'delayed' | 'repeated';

/** What the notifier counts. */
export interface Numbers {
  count(channel: Channel, outcome: Outcome): void;
  /** A message arrived; `happenedAt` is when the news happened. */
  sent(channel: Channel, happenedAt: string): void;
}

/** The notifier's metrics. */
export function createNumbers(registry: Registry): Numbers {
  const notifications = new Counter({
    name: 'cordon_notifications_total',
    help: 'Messages to people, by what became of them',
    labelNames: ['channel', 'outcome'],
    registers: [registry],
  });
  const latency = new Histogram({
    name: 'cordon_notification_latency_seconds',
    help: 'From an event to the message that tells it',
    labelNames: ['channel'],
    buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200],
    registers: [registry],
  });
  return {
    count: (channel, outcome) => notifications.inc({ channel, outcome }),
    sent(channel, happenedAt) {
      notifications.inc({ channel, outcome: 'sent' });
      latency.observe({ channel }, Math.max(0, Date.now() - Date.parse(happenedAt)) / 1000);
    },
  };
}
