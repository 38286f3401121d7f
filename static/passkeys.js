// Passkeys: asks the browser for one, and sends the button's form with the
// answer. The server makes and checks all that there is to it.

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-passkey]");
  if (button) sign(button);
});

// The page's script shows it.
function tell(message) {
  document.dispatchEvent(new CustomEvent("infsh:toast", { detail: { message, kind: "warning" } }));
}

async function sign(button) {
  const form = button.form;
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    return tell("This browser can’t use passkeys. Update it, or use another way.");
  }
  if (button.dataset.passkey === "create" && !form.reportValidity()) return;
  button.disabled = true;
  try {
    const body = new URLSearchParams({ csrf: form.elements.csrf.value, for: button.dataset.for });
    const answer = await fetch(button.dataset.options, { method: "POST", body });
    if (!answer.headers.get("Content-Type")?.startsWith("application/json")) throw new Error("no options");
    const json = await answer.json();
    const credential = button.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(json) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(json) });
    form.elements[button.dataset.field].value = JSON.stringify(credential);
    form.noValidate = true; // A passkey stands for the other fields.
    form.requestSubmit();
  } catch (error) {
    const known = error.name === "InvalidStateError";
    tell(known ? "This device has a passkey for you already." : "No passkey was used. Try again, or use another way.");
  } finally {
    button.disabled = false;
  }
}
