// The palette finds pages, keys, apps and teams from the keyboard. The server
// makes the list of what it found; this moves through it and opens one.

const palette = document.getElementById("palette");
const field = document.getElementById("find-field");
const options = () => [...palette.querySelectorAll("[role=option]")];
const current = () => palette.querySelector("[aria-selected=true]");
let entered = false; // before the answer came

function show() {
  if (document.querySelector("dialog:modal")) return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) menu.open = false;
  palette.showModal();
  field.value = "";
  field.focus();
  wait();
  htmx.trigger(field, "infsh:find");
}

function select(option) {
  current()?.setAttribute("aria-selected", "false");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) field.setAttribute("aria-activedescendant", option.id);
  else field.removeAttribute("aria-activedescendant");
}

// What was found before is not what is looked for now, so Enter opens none of it.
function wait() {
  select(null);
  entered = false;
}

function move(step) {
  const all = options();
  select(all[(all.indexOf(current()) + step + all.length) % all.length]);
}

if (palette) {
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    palette.open ? palette.close() : show();
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-palette]");
    if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show();
  });
  palette.addEventListener("click", (event) => {
    if (event.target === palette || event.target.closest("[data-palette-close]")) palette.close();
  });
  palette.addEventListener("close", () => {
    if (palette.open) return; // again already
    field.value = "";
    document.body.append(document.getElementById("toasts"));
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(current() ? -1 : 0);
    else if (event.key === "Enter") current() ? current().click() : (entered = true);
    else return;
    event.preventDefault();
  });
  field.addEventListener("input", wait);
  palette.addEventListener("htmx:afterSwap", () => {
    const results = document.getElementById("find-results");
    field.setAttribute("aria-expanded", String(options().length > 0));
    document.getElementById("find-status").textContent = results.dataset.says;
    if (results.dataset.query !== field.value.trim()) return; // more was typed meanwhile
    select(options()[0]);
    if (entered) current()?.click();
  });
  if (/Mac|iP(hone|ad)/.test(navigator.platform)) document.querySelector("#find kbd").textContent = "⌘K";
}
