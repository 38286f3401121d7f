// Menus close when one is done with them, and work by keys. A slash leads to the
// search of the page.

const openMenus = () => document.querySelectorAll("details[data-menu][open]");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog:modal")) {
    for (const menu of openMenus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
  const menu = event.target.closest("details[data-menu][open]");
  if (menu && !event.ctrlKey && !event.metaKey && !event.altKey) moveInMenu(event, menu);
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !document.querySelector("dialog:modal") && !event.target.closest("input, textarea, select")) {
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});

// In a menu, the arrows go from item to item, and letters to the next item whose
// name begins with them.
let letters = "";
let lastLetter = 0;

function moveInMenu(event, menu) {
  const items = [...menu.querySelectorAll(".menu-panel :is(a, button)")].filter((item) => item.checkVisibility());
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[event.key];
  let next = items.at(to % items.length);
  if (to === undefined) {
    if (event.key.length !== 1 || event.key === " " || event.key === "/") return;
    const letter = event.key.toLowerCase();
    letters = (event.timeStamp - lastLetter < 800 ? letters : "") + letter;
    lastLetter = event.timeStamp;
    const named = (start, from) => [...items.slice(from), ...items.slice(0, from)].find((item) => item.textContent.trim().toLowerCase().startsWith(start));
    next = (letters.length > 1 && named(letters, Math.max(at, 0))) || named((letters = letter), at + 1);
  }
  if (!next) return;
  event.preventDefault();
  next.focus();
}
