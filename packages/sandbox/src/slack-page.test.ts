import { describe, expect, test } from 'vitest';
import { parseBlocks, type Block } from './block-kit.ts';
import { renderMrkdwn } from './mrkdwn.ts';
import { renderSlackChannel } from './slack-page.ts';
import type { SlackMessage } from './slack-workspace.ts';

const mrkdwn = (source: string, verbatim?: boolean): string => renderMrkdwn(source, verbatim).toString();

describe('mrkdwn', () => {
  test.for<[source: string, shown: string]>([
    ['*bold* and _it_ and ~gone~', '<b>bold</b> and <i>it</i> and <s>gone</s>'],
    ['*bold _both_*', '<b>bold <i>both</i></b>'],
    ['2*3*4 and snake_case_name', '2*3*4 and snake_case_name'],
    ['`*not bold*`', '<code>*not bold*</code>'],
    ['```\na\n*b*\n```', '<pre>a\n*b*\n</pre>'],
    ['one\ntwo', 'one<br />two'],
    ['&gt; quoted\nnot', '<blockquote>quoted</blockquote>not'],
    ['&amp;lt;b&amp;gt; &lt;b&gt; &quot;', '&amp;lt;b&amp;gt; &lt;b&gt; &amp;quot;'],
    [':lock: :no_such_emoji:', '🔒 :no_such_emoji:'],
    [
      '<https://cordon.example/a?b=1&amp;c=2|Review & decide>',
      '<a href="https://cordon.example/a?b=1&amp;c=2" rel="noopener noreferrer" target="_blank">Review &amp; decide</a>',
    ],
    ['<javascript:alert(1)|click>', '<span class="slack-dead-link">click (javascript:alert(1))</span>'],
    [
      '<!date^1764000000^{date_num} {time_secs}|fallback>',
      '<time datetime="2025-11-24T16:00:00.000Z" title="fallback">2025-11-24 16:00:00 UTC</time>',
    ],
  ])('shows %s', ([source, shown]) => expect(mrkdwn(source)).toBe(shown));

  test.for<[source: string, label: string]>([
    ['<!channel>', '@channel'],
    ['<!here|here>', '@here'],
    ['`<!everyone>`', '@everyone'],
    ['<@U123>', '@U123'],
    ['<!subteam^S1|@soc>', '@soc'],
    ['<#C1|general>', '#general'],
  ])('a mention that leaked is seen: %s', ([source, label]) =>
    expect(mrkdwn(source)).toContain(`<mark class="slack-mention">${label}</mark>`),
  );

  test('an escaped mention is only text', () => {
    expect(mrkdwn('&lt;!channel&gt;')).toBe('&lt;!channel&gt;');
  });

  test('a bare address looks like the link that Slack makes of it, unless that is turned off', () => {
    expect(mrkdwn('see http://evil.example/x')).toContain('slack-auto-link');
    expect(mrkdwn('see http://evil.example/x', true)).toBe('see http://evil.example/x');
  });
});

function blocks(value: unknown): Block[] {
  const parsed = parseBlocks(JSON.stringify(value));
  if (!parsed.ok) throw new Error(parsed.messages.join('\n'));
  return parsed.blocks;
}

function aMessage(message: Partial<SlackMessage> = {}): SlackMessage {
  return {
    at: '2026-11-24T04:05:06.000Z',
    ts: '1700000000.000100',
    text: '',
    blocks: [],
    unfurlLinks: false,
    unfurlMedia: false,
    updateCount: 0,
    revisions: [],
    replies: [],
    ...message,
  };
}

const show = (...messages: SlackMessage[]): string => renderSlackChannel(messages, 'alerts').toString();

describe('the channel', () => {
  test('shows who wrote when, what was edited, and the thread below its message', () => {
    const shown = show(
      aMessage({
        text: 'root *message*',
        updateCount: 2,
        replies: [aMessage({ text: 'first' }), aMessage({ text: 'second' })],
      }),
    );
    expect(shown).toMatch(
      /# alerts[\s\S]*Cordon[\s\S]*APP[\s\S]*04:05 UTC[\s\S]*root <b>message<\/b>[\s\S]*\(edited\)/,
    );
    expect(shown).toMatch(/<summary>2 replies .*second.*<\/summary>[\s\S]*first[\s\S]*second[\s\S]*<\/details>/);
    expect(show(aMessage({ replies: [aMessage()] }))).toContain('<summary>1 reply ');
    expect(show()).toContain('No message yet.');
  });

  test('shows every kind of block', () => {
    const shown = show(
      aMessage({
        text: 'only for the notification',
        blocks: blocks([
          { type: 'header', text: { type: 'plain_text', text: ':warning: LaZagne' } },
          {
            type: 'section',
            text: { type: 'mrkdwn', text: '*Host*' },
            fields: [{ type: 'plain_text', text: '*verbatim* :lock:', emoji: false }],
          },
          { type: 'divider' },
          { type: 'context', elements: [{ type: 'mrkdwn', text: '_rule_' }] },
          {
            type: 'rich_text',
            elements: [
              {
                type: 'rich_text_preformatted',
                elements: [{ type: 'text', text: 'cmd <!channel> & *x*' }],
              },
              {
                type: 'rich_text_list',
                style: 'ordered',
                elements: [
                  { type: 'rich_text_section', elements: [{ type: 'text', text: 'a', style: { bold: true } }] },
                ],
              },
              { type: 'rich_text_quote', elements: [{ type: 'link', url: 'https://cordon.example', text: 'page' }] },
              { type: 'rich_text_section', elements: [{ type: 'broadcast', range: 'channel' }] },
            ],
          },
          {
            type: 'actions',
            elements: [
              {
                type: 'button',
                text: { type: 'plain_text', text: 'Review' },
                url: 'https://cordon.example/q/1',
                style: 'primary',
              },
              { type: 'button', text: { type: 'plain_text', text: 'Elsewhere' }, url: 'javascript:alert(1)' },
            ],
          },
        ]),
      }),
    );
    expect(shown).not.toContain('only for the notification');
    for (const part of [
      '<h4 class="slack-header">⚠️ LaZagne</h4>',
      '<b>Host</b>',
      '*verbatim* :lock:',
      '<hr />',
      '<i>rule</i>',
      '<pre>cmd &lt;!channel&gt; &amp; *x*</pre>',
      '<li><b>a</b></li>',
      '<blockquote><a href="https://cordon.example"',
      '<mark class="slack-mention">@channel</mark>',
      '<a class="slack-button slack-button-primary" href="https://cordon.example/q/1"',
      '<button class="slack-button slack-button-default" type="button" disabled>Elsewhere</button>',
    ])
      expect(shown).toContain(part);
  });

  test('nothing that a message says becomes markup', () => {
    const evil = `<script>alert(1)</script><img src=x onerror=alert(1)>" onmouseover="x`;
    const shown = show(
      aMessage({ text: evil }),
      aMessage({
        blocks: blocks([
          { type: 'header', text: { type: 'plain_text', text: evil } },
          { type: 'section', text: { type: 'mrkdwn', text: evil } },
          { type: 'section', text: { type: 'mrkdwn', text: `<https://x.example/"onclick="y|${evil}>` } },
          {
            type: 'rich_text',
            elements: [{ type: 'rich_text_preformatted', elements: [{ type: 'text', text: evil }] }],
          },
        ]),
      }),
    );
    expect(shown).not.toMatch(/<(script|img)/i);
    expect(shown).not.toMatch(/" on\w+="/);
  });
});
