// A chart's own view.

let way = "Helm";
let switched = { chart: "", on: new Set() };

const card = (heading, attributes, ...children) =>
  make("section", { ...attributes, class: `card ${attributes.class || ""}`.trim() }, make("h2", {}, heading), ...children);

const time = (day) => (day ? make("time", { datetime: day }, day) : "");

function switchOf(part) {
  // Helm takes the first of several; what could mean something else to --set is shown, but not offered.
  const path = part.condition.split(",")[0].trim();
  return /^[\w-]+(\.[\w-]+)*$/.test(path) ? path : "";
}

function installCard(name, found) {
  const ways = found.library ? ["Dependency"] : Object.keys(WAYS);
  if (!ways.includes(way)) way = ways[0];
  const code = make("code");
  const pre = make("pre", { tabindex: "0", id: "commands", "aria-label": "What to copy" }, code);
  const write = () => {
    const paths = found.parts.map(switchOf).filter((path) => switched.on.has(path));
    setCode(code, WAYS[way](name, found.version, [...new Set(paths)]), way === "Helm");
  };
  const tabs = ways.map((title) => make("button", {
    type: "button",
    role: "tab",
    id: `tab-${title.replace(" ", "-")}`,
    "aria-controls": "panel",
    onclick: () => choose(title),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const at = event.key === "Home" ? 0 : event.key === "End" ? ways.length - 1
        : step && (ways.indexOf(title) + step + ways.length) % ways.length;
      if (at === undefined) return;
      event.preventDefault();
      choose(ways[at]);
      tabs[at].focus();
    },
  }, title));
  const panel = make("div", { role: "tabpanel", id: "panel", class: "code" }, pre,
    copyButton("these commands", () => code.textContent, () => code));
  function choose(title) {
    way = title;
    for (const [at, tab] of tabs.entries()) {
      tab.setAttribute("aria-selected", String(ways[at] === way));
      tab.tabIndex = ways[at] === way ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", tabs[ways.indexOf(way)].id);
    write();
  }
  choose(way);
  const list = make("div", { role: "tablist", class: "tabs", "aria-label": "Ways to install" }, ...tabs);
  return { element: card(found.library ? "Use" : "Install", { class: "install" }, list, panel), write };
}

function partRow(part, write) {
  const path = switchOf(part);
  const label = part.as && part.as !== part.name ? `${part.as} (${part.name})` : part.name;
  const from = /^https?:\/\//.test(part.repository) || part.repository.startsWith("oci://")
    ? make("span", { class: "from" }, `${part.wanted} from ${part.repository}`.trim()) : "";
  const when = make("span", { class: "hint" }, part.condition ? make("code", {}, path || part.condition) : "always on");
  const about = make("span", { class: "part" }, make("span", { class: "label", dir: "auto" }, label), from, when);
  if (!path) return make("li", { class: "always" }, about);
  const box = make("input", {
    type: "checkbox",
    onchange: () => {
      if (box.checked) switched.on.add(path);
      else switched.on.delete(path);
      write();
    },
  });
  box.checked = switched.on.has(path);
  return make("li", {}, make("label", {}, box, about));
}

function partsCard(found, write) {
  if (!found.parts.length) return null;
  const switches = found.parts.some(switchOf);
  const text = switches && !found.library
    ? "What you tick is switched on in the commands above. Without a tick, the chart's own values decide."
    : "";
  return card("Parts and switches", {}, make("p", { class: "hint" }, text || "What this chart brings along."),
    make("ul", { class: "parts" }, ...found.parts.map((part) => partRow(part, write))));
}

function detailsCard(found) {
  const upstream = upstreamOf(found);
  const short = found.revision.slice(0, 10);
  const page = releasePage(found.url);
  const file = found.url.split(/[?#]/)[0].split("/").pop();
  const facts = [
    ["Version", found.version],
    ["App version", found.app],
    ["Published", time(found.released)],
    ["Release", page && outward(page, "Release notes")],
    ["Package", found.url && outward(found.url, file)],
    ["Upstream", upstream.url && outward(upstream.url, upstream.title)],
    ["Upstream tag", upstream.tag && outward(upstream.tag, found.app)],
    ["Revision", found.revision && (upstream.commit
      ? outward(upstream.commit, make("code", {}, short)) : make("code", {}, short))],
    ["Kubernetes", found.kube],
  ].filter(([, value]) => value);
  return card("Details", { class: "details" },
    make("dl", {}, ...facts.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)))));
}

function versionsCard(chart, selected) {
  const name = chart[0];
  const versions = chart[3];
  const body = make("tbody", { role: "rowgroup" });
  const button = make("button", { type: "button", class: "plain more" });
  let count = 0;
  const cell = (kind, ...children) => make("td", { role: "cell", class: kind }, ...children);
  function row(at) {
    const found = release(chart, at);
    const page = releasePage(found.url);
    const { tag } = upstreamOf(found);
    const link = make("a", {
      href: route(name, found.version),
      "aria-current": at === selected ? "true" : undefined,
    }, found.version);
    return make("tr", { role: "row" },
      make("th", { role: "rowheader", scope: "row" }, link,
        at === chart[2] ? make("span", { class: "badge" }, "newest") : "",
        found.deprecated ? make("span", { class: "badge warn" }, "deprecated") : ""),
      cell("app", found.app),
      cell("released", time(found.released)),
      cell("links",
        page && make("a", { href: page, rel: "noopener noreferrer", "aria-label": `Release of ${found.version}` }, "Release"),
        tag && make("a", { href: tag, rel: "noopener noreferrer", "aria-label": `Upstream's ${found.app}` }, "Upstream"),
        !page && found.url && make("a", { href: found.url, "aria-label": `Package of ${found.version}` }, "Package")));
  }
  function extend(number) {
    const end = Math.min(count + number, versions.length);
    const focus = count;
    const added = [];
    while (count < end) added.push(row(count++));
    body.append(...added);
    const left = versions.length - count;
    button.hidden = !left;
    button.textContent = left <= MORE
      ? `Show all ${versions.length.toLocaleString("en")} versions` : `Show ${MORE.toLocaleString("en")} more versions`;
    if (focus) body.rows[focus].querySelector("a").focus({ preventScroll: true });
  }
  button.addEventListener("click", () => extend(MORE));
  extend(FIRST);
  const head = ["Version", "App version", "Published", "Links"].map((text) =>
    make("th", { role: "columnheader", scope: "col" }, text));
  const table = make("table", { role: "table", class: chart[4] === -1 ? "versions no-app" : "versions", "aria-label": `Versions of ${name}` },
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...head)), body);
  const heading = versions.length === 1 ? "One version" : `${versions.length.toLocaleString("en")} versions`;
  return card(heading, {}, table, button);
}

function showChart(name, version) {
  const article = $("chart");
  const chart = load().charts.get(name);
  const at = chart && (version === undefined ? chart[2] : chart[3].indexOf(version));
  const back = make("a", { href: "#/", class: "back" }, make("span", { "aria-hidden": "true" }, "← "), "All charts");
  if (!chart || at < 0) {
    const what = chart ? `There is no version ${version} of ${name} here.` : `There is no chart ${name} here.`;
    article.replaceChildren(back, make("h1", { id: "chart-title", tabindex: "-1", dir: "auto" }, what),
      chart ? make("p", {}, make("a", { href: route(name) }, `See the versions of ${name}`)) : "");
    return;
  }
  if (switched.chart !== name) switched = { chart: name, on: new Set() };
  const found = release(chart, at);
  const newest = chart[3][chart[2]];
  const install = installCard(name, found);
  article.replaceChildren(
    back,
    make("div", { class: "head" },
      make("h1", { id: "chart-title", tabindex: "-1", dir: "auto" }, name),
      make("span", { class: "chosen" }, found.version),
      found.library ? make("span", { class: "badge" }, "library") : "",
      found.deprecated ? make("span", { class: "badge warn" }, "deprecated") : ""),
    make("p", { class: "description", dir: "auto" }, chart[1]),
    at === chart[2] ? "" : make("p", { class: "notice" }, "The newest version is ", make("a", { href: route(name) }, newest), "."),
    make("div", { class: "columns" },
      make("div", { class: "main" }, install.element, partsCard(found, install.write)),
      detailsCard(found),
      make("div", { class: "rest" }, versionsCard(chart, at))));
}
