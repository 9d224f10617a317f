export { type Broker, startBroker } from './broker.ts';
export { startSlack } from './slack.ts';
