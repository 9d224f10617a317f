export { type Admin, createMetrics, serveAdmin } from './admin.ts';
export { commonSettings, ConfigurationError, list, loadConfig, port } from './config.ts';
export { createLogger, type Logger } from './logger.ts';
export { runService, type Running } from './run-service.ts';
export { signingKey, verificationKeys } from './keys.ts';
export { peopleFirst } from './people-first.ts';
