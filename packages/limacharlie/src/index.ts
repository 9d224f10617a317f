export type { DetectionPage, Identity, Isolation, LimaCharlieClient, LimaCharlieOptions, Sensor } from './client.ts';
export { EdrDenied, type EdrError, EdrRateLimited, EdrRejected, EdrUnavailable } from './errors.ts';
export { normalize, type Normalized } from './normalize.ts';
export { parseWebhook, type WebhookRecord } from './parse-webhook.ts';
