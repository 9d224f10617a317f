import { type Consumption, CONSUMERS, DeadLetter, Quarantined } from '@cordon/bus';
import { runService } from '@cordon/service';
import { channelsOf, settings } from './config.ts';
import { connectChannels } from './channels.ts';
import { lookForOverdue } from './overdue.ts';
import { tellOfDeadLetters, tellOfQuarantine } from './operators.ts';

await runService({
  name: 'notifier',
  adminPort: 9083,
  settings,
  env: process.env,
  async start({ config, bus, log, metrics }) {
    await bus.followLog();
    const channels = await connectChannels(channelsOf(config), { publicUrl: config.PUBLIC_URL, bus, log, metrics });
    const consumptions: Consumption[] = [];
    if (channels.slack) consumptions.push(await bus.consumeEvents(CONSUMERS.slack, channels.slack));
    else log.warn('Slack is off: SLACK_BOT_TOKEN and SLACK_CHANNEL are not set');
    if (channels.email) consumptions.push(await bus.consumeEvents(CONSUMERS.email, channels.email));
    else log.warn('mail is off: SMTP_URL, EMAIL_FROM and EMAIL_TO are not set');
    // With one channel there is no other to tell it.
    if (channels.slack && channels.email) {
      consumptions.push(await bus.consumeDeadlines(CONSUMERS.overdue, lookForOverdue(bus.log)));
    }
    if (channels.operators) {
      consumptions.push(
        await bus.consumeAside(CONSUMERS.quarantined, Quarantined, tellOfQuarantine(channels.operators)),
        await bus.consumeAside(CONSUMERS.dead, DeadLetter, tellOfDeadLetters(channels.operators)),
      );
    }
    return { consumptions, close: () => channels.close() };
  },
});
