// What one copies to use a chart: commands and manifests, in which nothing of the index means more than a text.

const shell = (text) => (/^[\w./:=@%+,][\w./:=@%+,-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function yaml(text) {
  const plain = /^[A-Za-z][\w./-]*$/.test(text) || /^https?:\/\/[\w./:%~-]*[\w/]$/.test(text);
  return plain && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(text) ? text : JSON.stringify(text);
}

function releaseName(name) {
  const found = name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+/, "").slice(0, 53).replace(/-+$/, "");
  return found || "chart";
}

function valueLines(paths, indent) {
  const tree = new Map();
  for (const path of paths) {
    let at = tree;
    const keys = path.split(".");
    const last = keys.pop();
    for (const key of keys) {
      if (!(at.get(key) instanceof Map)) at.set(key, new Map());
      at = at.get(key);
    }
    if (!at.has(last)) at.set(last, true);
  }
  const write = (map, depth) =>
    [...map].flatMap(([key, value]) =>
      value === true
        ? [`${" ".repeat(depth)}${yaml(key)}: true`]
        : [`${" ".repeat(depth)}${yaml(key)}:`, ...write(value, depth + 2)]);
  return write(tree, indent);
}

const addCommand = () => `helm repo add ${alias} ${shell(shownAddress)}`;

function setCode(code, lines, isShell) {
  // Each command is a block of its own, so that one that is broken into lines can still be told from the next.
  code.classList.toggle("shell", isShell);
  code.replaceChildren(...lines.map((line, at) =>
    make("span", { class: "line" }, at < lines.length - 1 ? `${line}\n` : line)));
}

const WAYS = {
  Helm: (chart, version, on) => [
    addCommand(),
    `helm repo update ${alias}`,
    [
      `helm install ${releaseName(chart)} ${shell(`${alias}/${chart}`)} --version ${shell(version)}`,
      ...on.map((path) => `  --set ${shell(`${path}=true`)}`),
    ].join(" \\\n"),
  ],
  Flux: (chart, version, on) => [
    "apiVersion: source.toolkit.fluxcd.io/v1",
    "kind: HelmRepository",
    "metadata:",
    `  name: ${yaml(alias)}`,
    "  namespace: flux-system",
    "spec:",
    "  interval: 1h",
    `  url: ${yaml(shownAddress)}`,
    "---",
    "apiVersion: helm.toolkit.fluxcd.io/v2",
    "kind: HelmRelease",
    "metadata:",
    `  name: ${yaml(releaseName(chart))}`,
    "  namespace: flux-system",
    "spec:",
    "  interval: 1h",
    "  targetNamespace: default",
    "  chart:",
    "    spec:",
    `      chart: ${yaml(chart)}`,
    `      version: ${JSON.stringify(version)}`,
    "      sourceRef:",
    "        kind: HelmRepository",
    `        name: ${yaml(alias)}`,
    ...(on.length ? ["  values:", ...valueLines(on, 4)] : []),
  ],
  "Argo CD": (chart, version, on) => [
    "apiVersion: argoproj.io/v1alpha1",
    "kind: Application",
    "metadata:",
    `  name: ${yaml(releaseName(chart))}`,
    "  namespace: argocd",
    "spec:",
    "  project: default",
    "  source:",
    `    repoURL: ${yaml(shownAddress)}`,
    `    chart: ${yaml(chart)}`,
    `    targetRevision: ${JSON.stringify(version)}`,
    ...(on.length ? ["    helm:", "      valuesObject:", ...valueLines(on, 8)] : []),
    "  destination:",
    "    server: https://kubernetes.default.svc",
    "    namespace: default",
  ],
  Dependency: (chart, version) => [
    "# in Chart.yaml of a chart of your own",
    "dependencies:",
    `- name: ${yaml(chart)}`,
    `  version: ${JSON.stringify(version)}`,
    `  repository: ${yaml(shownAddress)}`,
  ],
};
