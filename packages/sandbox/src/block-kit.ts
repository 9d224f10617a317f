import { z } from 'zod';

// Strict objects and limits as Slack's own type definitions state them: what Slack would refuse is refused here.

const PlainText = z.strictObject({
  type: z.literal('plain_text'),
  text: z.string().min(1).max(3000),
  emoji: z.boolean().optional(),
});
const Mrkdwn = z.strictObject({
  type: z.literal('mrkdwn'),
  text: z.string().min(1).max(3000),
  verbatim: z.boolean().optional(),
});
const Text = z.discriminatedUnion('type', [PlainText, Mrkdwn]);
export type Text = z.infer<typeof Text>;

/** A text object of limited length. */
export const upTo = (max: number) => Text.refine(({ text }) => text.length <= max, `must be at most ${max} characters`);
/** A plain text object of limited length. */
export const plainUpTo = (max: number) =>
  PlainText.refine(({ text }) => text.length <= max, `must be at most ${max} characters`);
/** `action_id` and `block_id`. */
export const id = z.string().max(255);

const Button = z.strictObject({
  type: z.literal('button'),
  text: plainUpTo(75),
  action_id: id.optional(),
  url: z.url().max(3000).optional(),
  value: z.string().max(2000).optional(),
  style: z.enum(['primary', 'danger']).optional(),
  accessibility_label: z.string().max(75).optional(),
  confirm: z
    .strictObject({
      title: plainUpTo(100),
      text: upTo(300),
      confirm: plainUpTo(30),
      deny: plainUpTo(30),
      style: z.enum(['primary', 'danger']).optional(),
    })
    .optional(),
});
export type Button = z.infer<typeof Button>;

const style = z
  .strictObject({
    bold: z.boolean().optional(),
    italic: z.boolean().optional(),
    strike: z.boolean().optional(),
    code: z.boolean().optional(),
  })
  .optional();
const RichTextElement = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string().min(1), style }),
  z.strictObject({
    type: z.literal('link'),
    url: z.url(),
    text: z.string().optional(),
    unsafe: z.boolean().optional(),
    style,
  }),
  z.strictObject({ type: z.literal('emoji'), name: z.string(), unicode: z.string().optional() }),
  z.strictObject({ type: z.literal('user'), user_id: z.string(), style }),
  z.strictObject({ type: z.literal('usergroup'), usergroup_id: z.string(), style }),
  z.strictObject({ type: z.literal('channel'), channel_id: z.string(), style }),
  z.strictObject({ type: z.literal('broadcast'), range: z.enum(['here', 'channel', 'everyone']), style }),
  z.strictObject({
    type: z.literal('date'),
    timestamp: z.int(),
    format: z.string(),
    url: z.url().optional(),
    fallback: z.string().optional(),
    style,
  }),
]);
export type RichTextElement = z.infer<typeof RichTextElement>;

const border = z.union([z.literal(0), z.literal(1)]).optional();
const RichTextSection = z.strictObject({
  type: z.literal('rich_text_section'),
  elements: z.array(RichTextElement),
});
const RichTextPart = z.discriminatedUnion('type', [
  RichTextSection,
  z.strictObject({
    type: z.literal('rich_text_list'),
    style: z.enum(['bullet', 'ordered']),
    elements: z.array(RichTextSection),
    indent: z.int().min(0).optional(),
    offset: z.int().min(0).optional(),
    border,
  }),
  z.strictObject({
    type: z.literal('rich_text_preformatted'),
    elements: z.array(RichTextElement),
    language: z.string().optional(),
    border,
  }),
  z.strictObject({ type: z.literal('rich_text_quote'), elements: z.array(RichTextElement), border }),
]);
export type RichTextPart = z.infer<typeof RichTextPart>;

const block_id = id.optional();
/** The blocks of a message that this stand-in knows. */
export const Block = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('header'), block_id, text: plainUpTo(150) }),
  z
    .strictObject({
      type: z.literal('section'),
      block_id,
      text: Text.optional(),
      fields: z.array(upTo(2000)).min(1).max(10).optional(),
      accessory: Button.optional(),
      expand: z.boolean().optional(),
    })
    .refine(({ text, fields }) => text !== undefined || fields !== undefined, 'must have text or fields'),
  z.strictObject({ type: z.literal('context'), block_id, elements: z.array(Text).min(1).max(10) }),
  z.strictObject({ type: z.literal('divider'), block_id }),
  z
    .strictObject({ type: z.literal('actions'), block_id, elements: z.array(Button).min(1).max(25) })
    .refine(({ elements }) => areUnique(elements.map((element) => element.action_id)), 'action_id must be unique'),
  z.strictObject({ type: z.literal('rich_text'), block_id, elements: z.array(RichTextPart).min(1) }),
]);
export type Block = z.infer<typeof Block>;

const Blocks = z.array(Block).max(50).refine(haveUniqueIds, 'block_id must be unique');

/** Slack's total is undocumented: refusals were reported from 11 341 characters on. */
const MOST_CHARACTERS = 11_000;

export type BlocksResult =
  | { ok: true; blocks: Block[] }
  | { ok: false; error: 'invalid_blocks' | 'msg_blocks_too_long'; messages: string[] };

/** Judges the `blocks` argument of a call as Slack would, from the JSON text that the client sends. */
export function parseBlocks(json: string): BlocksResult {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { ok: false, error: 'invalid_blocks', messages: ['[ERROR] must be JSON'] };
  }
  const parsed = Blocks.safeParse(value);
  if (!parsed.success) return { ok: false, error: 'invalid_blocks', messages: complaints(parsed.error, 'blocks') };
  if (countText(parsed.data) > MOST_CHARACTERS) return { ok: false, error: 'msg_blocks_too_long', messages: [] };
  return { ok: true, blocks: parsed.data };
}

/** Slack's words for what is wrong with an argument, and where. */
export const complaints = (error: z.ZodError, argument: string): string[] =>
  error.issues.map(({ message, path }) => `[ERROR] ${message} [json-pointer:/${[argument, ...path].join('/')}]`);

export function haveUniqueIds(blocks: { block_id?: string | undefined }[]): boolean {
  return areUnique(blocks.map((block) => block.block_id));
}

function areUnique(ids: (string | undefined)[]): boolean {
  const given = ids.filter((id) => id !== undefined);
  return new Set(given).size === given.length;
}

/** Characters a reader sees: every string under a key named `text`, at any depth. */
function countText(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return Object.entries(value).reduce(
    (sum, [key, inner]) => sum + (key === 'text' && typeof inner === 'string' ? inner.length : countText(inner)),
    0,
  );
}
