/** Markup that is already safe. Only `html` makes it, so a plain string is never taken for it. */
export class Html {
  readonly #markup: string;
  constructor(markup: string) {
    this.#markup = markup;
  }
  toString(): string {
    return this.#markup;
  }
}

/** What may stand in a template: text is escaped, nothing is shown for what is absent. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** A template whose every value is escaped, for element content and quoted attributes. */
export function html(markup: TemplateStringsArray, ...values: Content[]): Html {
  return new Html(String.raw({ raw: markup }, ...values.map(escapeHtml)));
}

function escapeHtml(content: Content): string {
  if (content === null || content === undefined || content === false) return '';
  if (content instanceof Html) return content.toString();
  if (typeof content === 'object') return content.map(escapeHtml).join('');
  return String(content).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
