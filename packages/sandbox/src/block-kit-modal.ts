import { z } from 'zod';
import { Block, complaints, haveUniqueIds, id, plainUpTo, upTo } from './block-kit.ts';

const Option = z.strictObject({
  text: upTo(75),
  value: z.string().max(75),
  description: plainUpTo(75).optional(),
});
export type Option = z.infer<typeof Option>;

const Element = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('plain_text_input'),
    action_id: id,
    initial_value: z.string().optional(),
    multiline: z.boolean().optional(),
    min_length: z.int().min(0).max(3000).optional(),
    max_length: z.int().min(1).max(3000).optional(),
    placeholder: plainUpTo(150).optional(),
    focus_on_load: z.boolean().optional(),
  }),
  z.strictObject({
    type: z.literal('radio_buttons'),
    action_id: id,
    options: z.array(Option).min(1).max(10),
    initial_option: Option.optional(),
  }),
  z.strictObject({
    type: z.literal('static_select'),
    action_id: id,
    options: z.array(Option).min(1).max(100),
    initial_option: Option.optional(),
    placeholder: plainUpTo(150).optional(),
  }),
]);
export type InputElement = z.infer<typeof Element>;

const Input = z.strictObject({
  type: z.literal('input'),
  block_id: id,
  label: plainUpTo(2000),
  hint: plainUpTo(2000).optional(),
  optional: z.boolean().optional(),
  element: Element,
});
export type Input = z.infer<typeof Input>;

const ModalBlock = z.union([Input, Block]);
export type ModalBlock = z.infer<typeof ModalBlock>;

/** A modal view, with the kinds of input that this stand-in knows. Inputs must be named, which Slack does not ask for. */
export const Modal = z
  .strictObject({
    type: z.literal('modal'),
    title: plainUpTo(24),
    close: plainUpTo(24).optional(),
    submit: plainUpTo(24).optional(),
    blocks: z.array(ModalBlock).max(100).refine(haveUniqueIds, 'block_id must be unique'),
    private_metadata: z.string().max(3000).optional(),
    callback_id: z.string().max(255).optional(),
    clear_on_close: z.boolean().optional(),
  })
  .refine(
    ({ blocks, submit }) => submit !== undefined || inputsOf(blocks).length === 0,
    'submit is required when there is an input',
  );
export type Modal = z.infer<typeof Modal>;

export const inputsOf = (blocks: ModalBlock[]): Input[] => blocks.filter((block) => block.type === 'input');

/** Judges a view as Slack would. */
export function parseModal(value: unknown): { ok: true; modal: Modal } | { ok: false; messages: string[] } {
  const parsed = Modal.safeParse(value);
  return parsed.success ? { ok: true, modal: parsed.data } : { ok: false, messages: complaints(parsed.error, 'view') };
}

/** `state.values` of a submission: by block, then by action. */
export type ModalValues = Record<
  string,
  Record<string, { type: string; value: string | null } | { type: string; selected_option: Option | null }>
>;

/** What was filled in, by `action_id`, as Slack sends it; or, by `block_id`, why Slack's own form does not let it pass. */
export function fillIn(
  { blocks }: Modal,
  filled: Record<string, string>,
): { values: ModalValues } | { errors: Record<string, string> } {
  const values: ModalValues = {};
  const errors: Record<string, string> = {};
  for (const { block_id, element, optional = false } of inputsOf(blocks)) {
    const text = filled[element.action_id] ?? '';
    if (text === '' && !optional) errors[block_id] = 'Please complete this required field.';
    const { type, action_id } = element;
    if (type === 'plain_text_input') {
      const { min_length = 0, max_length = 3000 } = element;
      if (text !== '' && text.length < min_length) errors[block_id] = `Please enter at least ${min_length} characters.`;
      if (text.length > max_length) errors[block_id] = `Please enter at most ${max_length} characters.`;
      values[block_id] = { [action_id]: { type, value: text || null } };
    } else {
      const chosen = element.options.find(({ value }) => value === text) ?? null;
      if (text !== '' && !chosen) errors[block_id] = 'Please choose one of the options.';
      values[block_id] = { [action_id]: { type, selected_option: chosen } };
    }
  }
  return Object.keys(errors).length > 0 ? { errors } : { values };
}
