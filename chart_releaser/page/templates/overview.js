// The list of charts: filter and order.

const rows = [...document.querySelectorAll("#rows > tr")].map((row) => ({
  row,
  name: row.dataset.name,
  released: row.dataset.released,
  text: row.textContent.toLowerCase(),
}));
let shown = rows.length;

function filterRows() {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = 0;
  for (const { row, text } of rows) {
    const hit = words.every((word) => text.includes(word));
    if (row.hidden === hit) row.hidden = !hit;
    if (hit) shown += 1;
  }
  const all = rows.length.toLocaleString("en");
  const noun = rows.length === 1 ? "chart" : "charts";
  $("count").textContent = words.length ? `${shown.toLocaleString("en")} of ${all} ${noun}` : `${all} ${noun}`;
  $("nothing").hidden = shown > 0;
  $("charts").hidden = shown === 0;
}

function sortRows() {
  const byDay = $("sort").value === "released";
  const order = byDay ? [...rows].sort((a, b) => (a.released < b.released) - (a.released > b.released)) : rows;
  $("rows").append(...order.map(({ row }) => row));
}

function prepareOverview() {
  $("home").href = "#/";
  const command = addCommand();
  setCode($("add-command"), [command], true);
  $("add").append(copyButton("the command that adds this repository", () => command, () => $("add-command")));
  if (!address) {
    $("add").after(make("p", { class: "summary" }, "This page is read from a file: put in the address it is served at."));
  }
  if (!rows.length) return;
  for (const { row, name } of rows) row.querySelector("a.name").href = route(name);
  $("toolbar").hidden = false;
  const filter = $("filter");
  filter.addEventListener("input", filterRows);
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && filter.value) {
      event.preventDefault();
      filter.value = "";
      filterRows();
    } else if (event.key === "Enter" && shown) {
      $("rows").querySelector("tr:not([hidden]) a.name").click();
    }
  });
  $("clear").addEventListener("click", () => {
    filter.value = "";
    filterRows();
    filter.focus();
  });
  $("sort").addEventListener("change", sortRows);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey || $("overview").hidden) return;
    event.preventDefault();
    filter.focus();
    filter.select();
  });
  // A browser that reloads the page keeps what was typed and chosen.
  sortRows();
  filterRows();
}
