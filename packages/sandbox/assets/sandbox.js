// Adds to a page that is complete without it: it stays up to date, and what is pressed does not load it anew.
const lost = document.querySelector('#lost');
const input = document.querySelector('#line');
let asked = 0;
let shown = 0;

/** Fetches the page, in answer to a form where `options` say so, and shows what is new in it. */
async function load(path, options) {
  const turn = ++asked;
  try {
    const response = await fetch(path + location.search, options);
    if (!response.ok) throw new Error(response.statusText);
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
    lost.hidden = true;
    if (turn < shown) return; // a later answer was faster
    shown = turn;
    const scrolls = keepScroll();
    for (const part of fresh.querySelectorAll('[data-live]')) {
      const old = document.querySelector(`[data-live="${part.dataset.live}"]`);
      if (old) become(old, part);
    }
    for (const restore of scrolls) restore();
  } catch {
    lost.hidden = false;
  }
}

/** Lists whose end is in view follow it by themselves; where the reader looks further up, what is read stays in place. */
function keepScroll() {
  return [...document.querySelectorAll('.terminal, .newest-last')].map((list) => {
    const { scrollTop, scrollHeight } = list;
    return () => {
      if (scrollTop < -8) list.scrollTop = scrollTop - (list.scrollHeight - scrollHeight);
    };
  });
}

/** Changes only what differs, so that focus, selection, an opened thread and a mail's frame survive. */
function become(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of Array.from(old.attributes)) {
    if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let next = old.firstChild;
  for (const child of Array.from(fresh.childNodes)) {
    const same = child.id
      ? [...old.children].find(({ id }) => id === child.id)
      : isAlike(next, child)
        ? next
        : undefined;
    if (!same) {
      old.insertBefore(child, next);
      continue;
    }
    if (same !== next) old.insertBefore(same, next);
    become(same, child);
    next = same.nextSibling;
  }
  while (next) {
    const surplus = next;
    next = next.nextSibling;
    surplus.remove();
  }
}

/** A frame with another content is another frame: changed in place, it would become a step of the browser's history. */
function isAlike(old, fresh) {
  return old?.nodeName === fresh.nodeName && !old.id && old.srcdoc === fresh.srcdoc;
}

document.addEventListener('submit', (event) => {
  event.preventDefault();
  const { target: form, submitter } = event;
  const body = new URLSearchParams(new FormData(form, submitter));
  if (form.contains(input)) {
    input.value = '';
    recalled = 0;
  }
  document.querySelector('.terminal')?.scrollTo({ top: 0 });
  const target = submitter?.hasAttribute('formaction') ? submitter.formAction : form.action;
  void load(new URL(target).pathname, { method: 'POST', body });
});

// Opening another mail, or being somebody else on Slack, keeps what was typed.
document.addEventListener('click', (event) => {
  const link = event.target.closest('.mailbox a, .slack-people a');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, '', link.getAttribute('href'));
  void load('/').then(() => document.querySelector('.mail-shown')?.scrollTo({ top: 0 }));
});
// As in Slack, a button that is a link opens it, and the app hears of that too.
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[data-press]');
  if (!link) return;
  const { press, ts, action } = link.dataset;
  const body = new URLSearchParams({ ts, action_id: action });
  void load(new URL(press, location.href).pathname, { method: 'POST', body });
});
addEventListener('popstate', () => void load('/'));

// As in a terminal: arrows bring back earlier lines, and a click anywhere is a click on the prompt.
let recalled = 0;
input?.addEventListener('keydown', (event) => {
  const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const lines = [...document.querySelectorAll('.typed')].map(({ textContent }) => textContent);
  recalled = Math.min(lines.length, Math.max(0, recalled + step));
  input.value = recalled === 0 ? '' : lines.at(-recalled);
});
document.querySelector('.terminal')?.addEventListener('click', () => {
  if (getSelection().isCollapsed) input.focus({ preventScroll: true });
});

const events = new EventSource('/events');
let pending;
events.addEventListener('changed', () => {
  clearTimeout(pending);
  pending = setTimeout(() => void load('/'), 50);
});
events.addEventListener('error', () => (lost.hidden = false));
addEventListener('pagehide', () => events.close());
