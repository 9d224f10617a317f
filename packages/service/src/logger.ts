import { type Logger, pino } from 'pino';

const SECRET_KEYS = ['authorization', 'cookie', 'token', 'secret', 'password', 'apiKey', 'jwt'];

/**
 * One JSON line per event, on standard output unless a destination is given. Fields that by their name hold a secret are
 * removed at the top, one level down, and in `headers`.
 */
export function createLogger(name: string, level: string, destination?: { write(line: string): void }): Logger {
  const options = {
    name,
    level,
    redact: {
      paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.headers.${key}`]),
      censor: '[redacted]',
    },
  };
  return destination ? pino(options, destination) : pino(options);
}
export type { Logger };
