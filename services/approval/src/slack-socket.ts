import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@cordon/service';
import { SocketModeClient } from '@slack/socket-mode';
import { clientOptions, silent } from './slack-api.ts';
import type { Answer, AnswerSlack } from './slack-decisions.ts';

const WAIT_MIN_MS = 1_000;
const WAIT_MAX_MS = 30_000;

type Envelope = { body: unknown; ack: (answer?: Answer) => Promise<void> };

/**
 * Slack reports what people do over a socket that we open, so that nobody has to reach us. Lost sockets are opened again
 * for ever: Slack's client by itself would give up, and end the process, on some failures.
 */
export function listenOnSocket(
  { appToken, apiUrl, log }: { appToken: string; apiUrl: string; log: Logger },
  answer: AnswerSlack,
): { close(): Promise<void> } {
  const client = new SocketModeClient({
    appToken,
    autoReconnectEnabled: false,
    clientOptions: clientOptions(apiUrl),
    logger: silent,
  });
  const closing = new AbortController();

  client.on('interactive', ({ body, ack }: Envelope) => {
    answer(body)
      .then((given) => ack(given))
      .catch((error: unknown) => log.warn({ err: error }, 'an interaction could not be answered over the socket'));
  });

  async function stayConnected(): Promise<void> {
    let waitMs = WAIT_MIN_MS;
    while (!closing.signal.aborted) {
      try {
        await client.start();
        log.info({}, 'listening to Slack');
        waitMs = WAIT_MIN_MS;
        if (closing.signal.aborted) await client.disconnect();
        else await new Promise<void>((resolve) => void client.once('disconnected', () => resolve()));
      } catch (error) {
        log.warn({ err: error, waitMs }, 'no socket to Slack: is SLACK_APP_TOKEN an app-level token?');
        await delay(waitMs, undefined, { signal: closing.signal }).catch(() => {});
        waitMs = Math.min(WAIT_MAX_MS, waitMs * 2);
      }
    }
  }

  const ended = stayConnected();
  return {
    async close() {
      closing.abort();
      await client.disconnect();
      await ended;
    },
  };
}
