import { expect, test } from 'vitest';
import { html } from './index.ts';

test('escapes values in content and attributes', () => {
  const hostile = `"><script>alert('x')</script>&`;
  expect(String(html`<p title="${hostile}">${hostile}</p>`)).toBe(
    '<p title="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;">&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;</p>',
  );
});

test('nests templates and lists, shows zero and leaves out what is absent', () => {
  const rows = [1, 2].map((n) => html`<li>${n}</li>`);
  expect(String(html`<ul>${rows}</ul>${0}${false}${null}${undefined}${''}`)).toBe('<ul><li>1</li><li>2</li></ul>0');
});
