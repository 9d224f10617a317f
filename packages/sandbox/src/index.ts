export { type Broker, BROKER_ENV, startBroker } from './broker.ts';
export { type IdentityProvider, startIdentityProvider } from './identity-provider.ts';
export { type LimaCharlieSandbox, startLimaCharlie } from './limacharlie.ts';
export { loadRules } from './load-rules.ts';
export { type Mail, type ReceivedMail, startMail } from './mail.ts';
export { type Slack, startSlack } from './slack.ts';
export type { SlackMessage } from './slack-workspace.ts';
export { startWindowsMachine, type WindowsMachine } from './windows.ts';
export {
  freePort,
  ALLOCATION,
  NODE_FLAGS,
  type ServiceName,
  SERVICES,
  type ServiceProcess,
  startService,
} from './service-process.ts';
export { startSystem, type System, type SystemOptions } from './system.ts';
