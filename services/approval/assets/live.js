// Adds to a page that is complete without it: live status, the reader's own time, and a countdown.
const main = document.querySelector('main');
const { events } = document.body.dataset;
const self = events.replace(/\/?events$/, '') || '/'; // a form's answer has another address than the page it shows
const RECONNECT_MS = 30_000;
// Somebody is filling in the form, or gets back what was entered: leave it alone.
let entered = Boolean(main.querySelector('textarea')?.value || main.querySelector(':checked'));
main.addEventListener('input', () => (entered = true));

/** The parts as the server made them, before times became the reader's own: only what changed is replaced. */
const shown = new Map(parts(document).map((part) => [part.dataset.live, part.outerHTML]));
function parts(of) {
  return [...of.querySelectorAll('[data-live]')];
}

function showTimes() {
  for (const element of main.querySelectorAll('time')) {
    const at = new Date(element.dateTime);
    let text = at.toLocaleString();
    if ('deadline' in element.dataset) {
      const minutes = Math.round((at - Date.now()) / 60_000);
      text += minutes > 0 ? ` (in ${minutes} min)` : ' (now)';
    }
    if (element.textContent !== text) element.textContent = text;
    element.title = element.dateTime;
  }
}

async function refresh() {
  const response = await fetch(self, { headers: { accept: 'text/html' }, redirect: 'manual' });
  if (response.type === 'opaqueredirect') return showEnded();
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
  document.title = fresh.title;
  const heading = fresh.querySelector('h1');
  if (heading) main.querySelector('h1').textContent = heading.textContent;
  for (const part of parts(fresh)) {
    const name = part.dataset.live;
    const place = main.querySelector(`[data-live="${name}"]`);
    if (!place || shown.get(name) === part.outerHTML) continue;
    // The form keeps the digest of the facts that were read: if they changed since, the answer is not taken.
    if (entered && name === 'question' && part.querySelector('form')) continue;
    shown.set(name, part.outerHTML);
    place.className = part.className;
    place.replaceChildren(...part.childNodes);
  }
  showTimes();
}

let pending = false;
function refreshSoon() {
  if (pending) return;
  pending = true;
  setTimeout(() => {
    pending = false;
    refresh().catch(() => {}); // the next event tries again
  }, 100);
}

/** Says so and stays: what was entered is not thrown away, and nobody is signed in again unasked. */
function showEnded() {
  if (main.querySelector('[data-ended]')) return;
  const notice = document.createElement('p');
  notice.className = 'notice';
  notice.setAttribute('role', 'alert');
  notice.dataset.ended = '';
  const link = document.createElement('a');
  link.href = self;
  link.textContent = 'Sign in again';
  notice.append('Your session has ended, and this page is no longer live. ', link);
  main.prepend(notice);
}

function listen() {
  const source = new EventSource(events);
  source.addEventListener('changed', refreshSoon);
  source.addEventListener('ended', () => {
    source.close();
    showEnded();
  });
  source.addEventListener('error', () => {
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    refreshSoon(); // finds out whether the session has ended
    setTimeout(() => main.querySelector('[data-ended]') || listen(), RECONNECT_MS);
  });
  addEventListener('pagehide', () => source.close());
}

showTimes();
setInterval(showTimes, 30_000);
if (events) listen();
