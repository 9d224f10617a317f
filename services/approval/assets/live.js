// Adds to a page that is complete without it: live status, the reader's own time, and a countdown.
const main = document.querySelector('main');
const { events } = document.body.dataset;
const self = events.replace(/\/?events$/, '') || '/'; // a form's answer has another address than the page it shows
let entered = false; // somebody is filling in the form: leave it alone
main.addEventListener('input', () => (entered = true));

function showTimes() {
  for (const element of main.querySelectorAll('time')) {
    const at = new Date(element.dateTime);
    let text = at.toLocaleString();
    if ('deadline' in element.dataset) {
      const minutes = Math.round((at - Date.now()) / 60_000);
      text += minutes > 0 ? ` (in ${minutes} min)` : ' (now)';
    }
    element.textContent = text;
    element.title = element.dateTime;
  }
}

async function refresh() {
  const response = await fetch(self, { headers: { accept: 'text/html' } });
  if (response.redirected || response.status === 401) return location.assign(self);
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
  document.title = fresh.title;
  const heading = fresh.querySelector('h1');
  if (heading) main.querySelector('h1').textContent = heading.textContent;
  for (const part of fresh.querySelectorAll('[data-live]')) {
    const shown = main.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!shown || shown.outerHTML === part.outerHTML) continue;
    // The form keeps the digest of the facts that were read: if they changed since, the answer is not taken.
    if (entered && part.dataset.live === 'question' && part.querySelector('form')) continue;
    shown.className = part.className;
    shown.replaceChildren(...part.childNodes);
  }
  showTimes();
}

let pending = false;
function refreshSoon() {
  if (pending) return;
  pending = true;
  setTimeout(() => {
    pending = false;
    refresh().catch(() => {});
  }, 100);
}

showTimes();
setInterval(showTimes, 30_000);
if (events) {
  const source = new EventSource(events);
  source.addEventListener('changed', refreshSoon);
  source.addEventListener('ended', () => {
    source.close();
    location.assign(self);
  });
  addEventListener('pagehide', () => source.close());
}
