import { html, type Content, type Html } from '@cordon/html';
import { type Input, type InputElement, type ModalBlock, type Option } from './block-kit-modal.ts';
import { renderBlock, renderText } from './slack-page.ts';
import type { SlackView } from './slack-views.ts';

/** A modal as its person sees it. A submission is posted with `view` and a field `value.<action_id>` for each input. */
export function renderSlackModal(view: SlackView, paths: { submit: string; dismiss: string }): Html {
  const { id, hash, modal, errors, trouble } = view;
  // Another content is another form: what was typed before does not stay in it.
  return html`<section class="slack slack-modal" id="slack-${id}-${hash}" role="dialog" aria-label="${modal.title.text}">
    <header>
      <h3>${renderText(modal.title)}</h3>
      <form method="post" action="${paths.dismiss}">
        <button class="slack-button" aria-label="Close the window">✕</button>
      </form>
    </header>
    <form class="slack-form" method="post" action="${paths.submit}">
      <input type="hidden" name="view" value="${id}" />
      ${modal.blocks.map((block) => renderModalBlock(block, errors))}
      ${trouble !== undefined && html`<p class="slack-trouble" role="alert">⚠️ We had some trouble connecting. ${trouble}</p>`}
      <footer>
        <button class="slack-button" formaction="${paths.dismiss}" formnovalidate>
          ${modal.close ? renderText(modal.close) : modal.submit ? 'Cancel' : 'Close'}
        </button>
        ${modal.submit && html`<button class="slack-button slack-button-primary">${renderText(modal.submit)}</button>`}
      </footer>
    </form>
  </section>`;
}

function renderModalBlock(block: ModalBlock, errors: Record<string, string>): Html {
  if (block.type !== 'input') return renderBlock(block);
  const error = errors[block.block_id];
  return html`<div class="slack-input">
    ${renderInput(block)} ${block.hint && html`<p class="slack-context">${renderText(block.hint)}</p>`}
    ${error !== undefined && html`<p class="slack-trouble" role="alert">${error}</p>`}
  </div>`;
}

function renderInput({ label, optional, element }: Input): Html {
  const id = `slack-input-${element.action_id}`;
  const name: Content = [renderText(label), optional === true && html` <span class="slack-context">(optional)</span>`];
  return element.type === 'radio_buttons'
    ? html`<fieldset>
        <legend>${name}</legend>
        ${element.options.map((option) => renderRadio(element, option))}
      </fieldset>`
    : html`<label for="${id}">${name}</label> ${renderField(element, id)}`;
}

function renderRadio({ action_id, initial_option }: InputElement & { type: 'radio_buttons' }, option: Option): Html {
  const { text, value, description } = option;
  return html`<label>
    <input
      type="radio"
      name="value.${action_id}"
      value="${value}"
      ${initial_option?.value === value && html`checked`}
    />
    <span>${renderText(text)} ${description && html`<small>${renderText(description)}</small>`}</span>
  </label>`;
}

function renderField(element: Exclude<InputElement, { type: 'radio_buttons' }>, id: string): Html {
  const name = `value.${element.action_id}`;
  if (element.type === 'plain_text_input') {
    const { multiline, initial_value = '', placeholder } = element;
    return multiline === true
      ? html`<textarea id="${id}" name="${name}" rows="3" placeholder="${placeholder?.text}">${initial_value}</textarea>`
      : html`<input id="${id}" name="${name}" value="${initial_value}" placeholder="${placeholder?.text}" />`;
  }
  return html`<select id="${id}" name="${name}">
    <option value="">${element.placeholder ? renderText(element.placeholder) : 'Choose an option'}</option>
    ${element.options.map(
      ({ text, value }) =>
        html`<option value="${value}" ${element.initial_option?.value === value && html`selected`}>
          ${text.text}
        </option>`,
    )}
  </select>`;
}
