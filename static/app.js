// The page's own script. Everything works without it; it makes dialogs modal,
// looks after the focus, copies names, and says aloud what changed.

const byId = (id) => document.getElementById(id);
const openDialog = () => document.querySelector("dialog:modal");

// ---- Dialogs -------------------------------------------------------------
// The server renders a dialog as a state of the page, open in its place.

let opener = null; // id of the control that asked for the dialog

function makeModal(dialog, again) {
  dialog.removeAttribute("open");
  dialog.toggleAttribute("data-again", again); // shown anew after an error: no entrance
  dialog.showModal();
  const wrong = dialog.querySelector("[aria-invalid=true]");
  const field = dialog.querySelector("[autofocus]");
  (wrong?.matches("fieldset") ? wrong.querySelector("input") : wrong ?? field)?.focus();
  dialog.addEventListener("close", () => afterClose(dialog), { once: true });
  const shown = dialog.querySelector("[data-hide]");
  if (shown) setTimeout(() => dialog.close(), 1000 * shown.dataset.hide);
}

function afterClose(dialog) {
  if (!dialog.isConnected) return; // replaced by its own answer
  const home = dialog.querySelector("a[data-close]")?.href;
  document.body.append(byId("toasts"));
  dialog.remove();
  if (home && location.search && new URL(home).pathname === location.pathname) {
    history.replaceState(history.state, "", home);
  }
  returnFocus();
}

// The control may have been rendered anew, or be gone with its row.
function returnFocus() {
  const target = (opener && byId(opener)) || document.querySelector(".toast-undo button") || document.querySelector("main h1");
  target?.focus();
  opener = null;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-close]");
  const dialog = link?.closest("dialog:modal");
  if (!dialog || event.ctrlKey || event.metaKey) return;
  if (new URL(link.href).pathname !== location.pathname && location.search) return; // leads elsewhere
  event.preventDefault();
  dialog.close();
});

// A form is sent by one of its buttons.
const controlOf = ({ detail }) => detail.requestConfig.triggeringEvent?.submitter?.id || detail.requestConfig.elt.id;

document.addEventListener("htmx:beforeRequest", (event) => {
  const source = event.detail.elt;
  if (event.detail.target?.id === "dialog" && !source.closest("dialog")) opener = controlOf(event);
});

// A refused form comes back without the secret, which never leaves the server
// again. What was typed is still here: it is put back, and kept nowhere else.
let typed = null;

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.id !== "dialog") return;
  const source = event.detail.requestConfig.elt;
  if (!source.closest("dialog")) opener = controlOf(event); // also where the server chose the dialog
  document.body.append(byId("toasts"));
  const refused = event.detail.xhr.status >= 400;
  typed = refused ? document.querySelector("#dialog textarea[name=value]")?.value : null;
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id !== "dialog") return;
  const dialog = document.querySelector("#dialog dialog");
  if (!dialog) return returnFocusLater();
  const field = dialog.querySelector("textarea[name=value]");
  if (typed && field) field.value = typed;
  makeModal(dialog, event.detail.requestConfig.elt.closest("form") !== null);
  typed = null;
});

// Rows that come out of band are in place only after the whole answer settled.
function returnFocusLater() {
  document.addEventListener("htmx:afterSettle", returnFocus, { once: true });
}

// The question whether it is you stays open where its answer went elsewhere.
document.addEventListener("infsh:confirmed", () => byId("confirm-dialog")?.close());

const initial = document.querySelector("#dialog dialog[open]");
if (initial) makeModal(initial, false);

// ---- Secrets do not linger -----------------------------------------------

window.addEventListener("pagehide", () => {
  for (const shown of document.querySelectorAll("[data-hide]")) shown.remove();
  for (const field of document.querySelectorAll("textarea[name=value], textarea[name=sheet], input[type=file]")) field.value = field.defaultValue;
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // from the back-forward cache: ask the server again
});

// ---- Copying -------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-of]");
  if (!button) return;
  const done = await copy(button.dataset.copy ?? byId(button.dataset.copyOf).textContent, button);
  toast(done ? "Copied" : "Copying is not allowed here: select the text instead", done ? "success" : "warning");
});

// navigator.clipboard exists only on https and localhost.
async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "sr-only";
    near.after(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    near.focus();
    return done;
  }
}

// ---- Toasts and announcements --------------------------------------------

function toast(message, kind = "info") {
  const item = document.createElement("p");
  item.className = "toast";
  item.dataset.kind = kind;
  item.textContent = message;
  if (openDialog()) openDialog().append(byId("toasts")); // what is behind it is neither seen nor said
  byId("toasts").append(item);
  setTimeout(() => item.remove(), kind === "error" ? 10000 : 5000);
}

// The server asks for a toast by HX-Trigger: {"infsh:toast": {message, kind}}.
document.addEventListener("infsh:toast", (event) => toast(event.detail.message, event.detail.kind));
document.addEventListener("htmx:sendError", () => toast("The server can’t be reached. Nothing was changed.", "error"));
document.addEventListener("htmx:timeout", () => toast("The server did not answer in time.", "error"));
document.addEventListener("htmx:responseError", () => toast("Something went wrong on the server. Please try again.", "error"));

document.addEventListener("htmx:afterSettle", (event) => {
  const text = event.detail.elt.dataset?.announce ?? byId(event.detail.elt.id)?.dataset.announce;
  if (text) byId("announce").textContent = text;
});

// ---- Undoing a deletion ----------------------------------------------------
// It is offered as long as the server keeps what was deleted, or for ten seconds
// to whom it stands in the way.

function offerUndo(form) {
  form.dataset.runs = "";
  const end = () => {
    const focused = form.contains(document.activeElement);
    form.remove();
    if (focused) returnFocus();
  };
  const look = () => (form.matches(":hover, :has(:focus-visible)") ? setTimeout(look, 1000) : end());
  setTimeout(end, 30_000);
  if (form.dataset.undo === "toast") setTimeout(look, 10_000);
}

const offerUndos = () => document.querySelectorAll("[data-undo]:not([data-runs])").forEach(offerUndo);
document.addEventListener("htmx:oobAfterSwap", offerUndos);
offerUndos();
