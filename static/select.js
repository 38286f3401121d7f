// Rows are selected by their boxes, several with Shift, and counted aloud.

const byId = (id) => document.getElementById(id);
const boxes = () => [...document.querySelectorAll("input[form=selection]")];
let last = null; // the box that was clicked before, from which Shift selects on

function countSelected() {
  const all = boxes();
  const n = all.filter((box) => box.checked).length;
  const head = byId("select-all");
  if (head) {
    head.checked = n > 0 && n === all.length;
    head.indeterminate = n > 0 && n < all.length;
  }
  const count = byId("selected");
  if (!count || Number(count.dataset.n ?? 0) === n) return;
  count.dataset.n = n;
  count.textContent = n ? `${n} selected` : "";
  byId("announce").textContent = n ? `${n} of ${all.length} selected` : "None selected";
}

function select(some, on) {
  for (const box of some) box.checked = on;
  countSelected();
}

document.addEventListener("click", (event) => {
  const all = boxes();
  const at = all.indexOf(event.target);
  if (event.target.closest("[data-select-all]")) select(all, true);
  if (at < 0) return;
  const from = all.indexOf(last);
  if (event.shiftKey && from >= 0) select(all.slice(Math.min(at, from), Math.max(at, from) + 1), event.target.checked);
  last = event.target;
});
document.addEventListener("change", (event) => {
  if (event.target.id === "select-all") select(boxes(), event.target.checked);
  if (event.target.form?.id === "selection") countSelected();
});
document.addEventListener("reset", () => setTimeout(countSelected));
for (const moment of ["infsh:updated", "htmx:afterSettle"]) document.addEventListener(moment, countSelected);
countSelected();
