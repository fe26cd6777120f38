// The data of the charts, and the addresses that go with it. See page_data.py for its form.

let data = null;

function load() {
  if (data) return data;
  const { texts, dependencies, charts } = JSON.parse($("data").textContent);
  data = { texts, dependencies, charts: new Map(charts.map((chart) => [chart[0], chart])) };
  return data;
}

function release(chart, at) {
  const { texts, dependencies } = load();
  const version = chart[3][at];
  const column = (number) => (Array.isArray(chart[number]) ? chart[number][at] : chart[number]);
  const text = (number) => (number < 0 ? "" : texts[number].replaceAll("\u0001", version));
  const day = column(5);
  const parts = column(8);
  const flags = column(11);
  return {
    version,
    app: text(column(4)),
    released: day < 0 ? "" : new Date(day * 864e5).toISOString().slice(0, 10),
    url: text(column(6)),
    upstream: text(column(7)),
    parts: parts < 0 ? [] : dependencies[parts].map((fields) => {
      const [name, as, condition, wanted, repository] = fields.map(text);
      return { name, as, condition, wanted, repository };
    }),
    kube: text(column(9)),
    revision: column(10),
    deprecated: Boolean(flags & 1),
    library: Boolean(flags & 2),
  };
}

function releasePage(url) {
  const match = /^(https?:\/\/[^/]+\/[^/]+\/[^/]+\/releases)\/download\/([^/?#]+)\/[^/?#]+$/.exec(url);
  return match ? `${match[1]}/tag/${match[2]}` : "";
}

function upstreamOf(found) {
  const match = /^(https?:\/\/([^/]+)\/([^/]+\/[^/?#]+?))(?:\.git)?(?:[/?#].*)?$/.exec(found.upstream);
  const download = /^https?:\/\/([^/]+)\/[^/]+\/[^/]+\/releases\/download\//.exec(found.url);
  const forge = match && /^(?:github|gitlab|gitea|forgejo|codeberg)\./i.exec(match[2]);
  if (!match || !(forge || (download && download[1] === match[2]))) {
    return { url: found.upstream, title: found.upstream.replace(/^https?:\/\//, ""), tag: "", commit: "" };
  }
  // An application version that ends in the chart's is upstream's tag; another one is a version of something else.
  const lab = /^gitlab\./i.test(match[2]);
  const tag = found.app.endsWith(found.version) ? encodeURIComponent(found.app) : "";
  return {
    url: match[1],
    title: match[3],
    tag: tag && `${match[1]}${lab ? "/-/tags/" : "/releases/tag/"}${tag}`,
    commit: found.revision && `${match[1]}${lab ? "/-/commit/" : "/commit/"}${found.revision}`,
  };
}
