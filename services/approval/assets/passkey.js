// Asks the reader's passkey before a form is sent: to add one, or to sign exactly what the page shows.
const form = document.querySelector('form[data-passkey]');
const notice = form.querySelector('[data-trouble]');
form.querySelector('button').disabled = false;

form.addEventListener('submit', (event) => {
  event.preventDefault();
  send().catch((error) => {
    notice.textContent =
      error.name === 'NotAllowedError'
        ? 'The passkey was not used, and nothing was sent. Try again.'
        : `Passkeys do not work here: ${error.message}`;
    notice.hidden = false;
  });
});

async function send() {
  const options = JSON.parse(form.dataset.options);
  const credential =
    form.dataset.passkey === 'create'
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  form.elements.passkey.value = JSON.stringify(credential.toJSON());
  form.submit();
}
