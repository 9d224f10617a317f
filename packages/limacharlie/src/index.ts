export {
  type DetectionPage,
  type Identity,
  type Isolation,
  limaCharlie,
  type LimaCharlieClient,
  type LimaCharlieOptions,
  type Sensor,
} from './client.ts';
export { EdrDenied, type EdrError, EdrRateLimited, EdrRejected, EdrUnavailable } from './errors.ts';
export { normalize, type Normalized } from './normalize.ts';
export { parseWebhook, type WebhookRecord } from './parse-webhook.ts';
