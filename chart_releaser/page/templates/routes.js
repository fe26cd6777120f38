// What comes behind the # says what is shown: #/ or #/chart or #/chart/version.

let left = { scroll: 0, name: "" };

function follow(event) {
  let parts;
  try {
    parts = window.location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    parts = [window.location.hash];
  }
  const [name, version] = parts;
  const overview = $("overview");
  if (name !== undefined && !overview.hidden) left = { scroll: window.scrollY, name };
  const wasChart = overview.hidden;
  overview.hidden = name !== undefined;
  $("chart").hidden = name === undefined;
  document.body.classList.toggle("inner", name !== undefined);
  if (name === undefined) {
    document.title = title;
    $("chart").replaceChildren();
    if (!event || !wasChart) return;
    window.scrollTo(0, left.scroll);
    const row = rows.find((item) => item.name === left.name && !item.row.hidden);
    if (row) row.row.querySelector("a.name").focus({ preventScroll: true });
    return;
  }
  showChart(name, version);
  document.title = `${version === undefined ? name : `${name} ${version}`} · ${title}`;
  if (!event) return;
  window.scrollTo(0, 0);
  $("chart-title").focus({ preventScroll: true });
}

$("skip").addEventListener("click", (event) => {
  // The address after # says which chart is shown, so the jump can't use it.
  event.preventDefault();
  $("main").focus();
});
prepareOverview();
window.addEventListener("hashchange", follow);
follow(null);
