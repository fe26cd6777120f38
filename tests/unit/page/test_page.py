"""The page as a text: what is in it, what is kept out of it, and when there is none."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest

from chart_releaser import yamlio
from chart_releaser.charts.chart import REVISION_ANNOTATION
from chart_releaser.index.index import Index
from chart_releaser.page.data import page_contents, safe_link, visible_text
from chart_releaser.page.page import GENERATOR, directory_page, github_page, render, suggest_alias

TITLE = "gardener-community/gardener-charts"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def entry(name: str, version: str, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v2",
        "name": name,
        "version": version,
        "created": "2025-10-10T07:30:52.001089437Z",
        "digest": "7025401985bf03428d4ab15f94c18fae638df84aa73fd45d682c1d43d8f72fac",
        "urls": [f"https://github.com/o/r/releases/download/{name}-{version}/{name}-{version}.tgz"],
        **more,
    }


def index(entries: Mapping[str, Any]) -> Index:
    return Index.parse(yamlio.dump({"apiVersion": "v1", "entries": dict(entries), "generated": "2025-11-21T13:00:30Z"}))


def one(**more: Any) -> Index:
    return index({"acl": [entry("acl", "1.0.0", **more)]})


def page(found: Index, present: str | None = None, **options: Any) -> str:
    text = render(found, present, title=options.pop("title", TITLE), **options)
    assert text is not None
    return text


class Elements(HTMLParser):
    """All elements with their attributes, and the text of each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open, []).append(data)

    def attributes(self, name: str) -> list[str | None]:
        return [attributes[name] for _, attributes in self.found if name in attributes]


def data_of(text: str) -> Any:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert match is not None
    return json.loads(match[1])


def test_the_overview_has_what_one_looks_for() -> None:
    found = index(
        {
            "beta": [entry("beta", "1.0.0", description="second")],
            "acl": [
                entry("acl", "2.0.0-rc.1"),
                entry(
                    "acl",
                    "1.9.0",
                    description="A helmchart for acl",
                    appVersion="v1.9.0",
                    sources=["https://example.org/docs", "https://github.com/stackitcloud/acl.git"],
                ),
                entry("acl", "1.10.0", created="2025-11-12T00:00:00Z", description="A helmchart for acl"),
            ],
        }
    )
    shown = page_contents(found, {})
    assert [row.name for row in shown.rows] == ["acl", "beta"]
    assert (shown.versions, shown.updated) == (4, "2025-11-12")
    row = shown.rows[0]
    assert (row.version, row.released, row.description) == ("1.10.0", "2025-11-12", "A helmchart for acl")
    assert shown.data["charts"][0][2:4] == [1, ["2.0.0-rc.1", "1.10.0", "1.9.0"]]
    text = page(found)
    assert "2 charts, 4 versions, updated <time" in text
    assert '<td role="cell" class="version">1.10.0</td>' in text


def test_the_upstream_is_the_first_source_that_is_a_repository() -> None:
    def upstream(*sources: Any) -> tuple[str, str]:
        row = page_contents(one(sources=list(sources)), {}).rows[0]
        return row.upstream, row.upstream_title

    repository = "https://github.com/gardener/gardener"
    assert upstream("https://example.org/docs", repository) == (repository, "gardener/gardener")
    assert upstream(f"{repository}/tree/master/charts") == (f"{repository}/tree/master/charts", "gardener/gardener")
    assert upstream("https://example.org/docs/") == ("https://example.org/docs/", "example.org/docs")
    assert upstream("git@github.com:o/r.git", "ssh://git@example.org/r", 7, None) == ("", "")


def test_the_upstream_of_a_configured_chart_is_its_repository() -> None:
    evil, ours = "https://github.com/evil/fork", "https://git.example.org/o/acl"
    repositories = {"acl": ours, "gone": "javascript:alert(1)"}
    found = index(
        {
            "acl": [entry("acl", "2.0.0", sources=[evil, ours]), entry("acl", "1.0.0", sources=[evil])],
            "gone": [entry("gone", "1.0.0", sources=[evil, "javascript:alert(1)"])],
            "other": [entry("other", "1.0.0", sources=[evil, ours])],
        }
    )
    shown = page_contents(found, repositories)
    assert [row.upstream for row in shown.rows] == [ours, evil, evil]
    assert shown.rows[0].upstream_title == "git.example.org/o/acl"
    texts = shown.data["texts"]
    assert [texts[number] for number in shown.data["charts"][0][7]] == [ours, evil]
    for made in (github_page("o", "r", repositories), directory_page(None, repositories)):
        text = made(found, None)
        assert text is not None
        assert f'href="{ours}"' in text


def test_data_says_what_the_script_shows() -> None:
    dependencies = [
        {"name": "controller", "condition": "controller.enabled", "repository": ""},
        {"name": "db", "alias": "store", "version": "1.9.0", "repository": "https://charts.example.org"},
    ]
    more = {
        "appVersion": "v1.9.0",
        "annotations": {REVISION_ANNOTATION: COMMIT},
        "dependencies": dependencies,
        "deprecated": True,
        "kubeVersion": ">=1.28",
        "sources": ["https://github.com/o/upstream"],
        "type": "library",
    }
    data = page_contents(index({"acl": [entry("acl", "1.9.0", **more), entry("acl", "1.8.0")]}), {}).data

    def text(number: int, version: str = "1.9.0") -> str:
        return "" if number < 0 else str(data["texts"][number]).replace("\x01", version)

    name, _, newest, versions, app, day, url, upstream, parts, kube, revision, flags = data["charts"][0]
    assert (name, newest, versions) == ("acl", 0, ["1.9.0", "1.8.0"])
    assert [text(number) for number in app] == ["v1.9.0", ""]
    assert day == 20371
    assert text(url) == "https://github.com/o/r/releases/download/acl-1.9.0/acl-1.9.0.tgz"
    assert text(url, "1.8.0") == "https://github.com/o/r/releases/download/acl-1.8.0/acl-1.8.0.tgz"
    assert [text(number) for number in upstream] == ["https://github.com/o/upstream", ""]
    assert [[text(number) for number in fields] for fields in data["dependencies"][parts[0]]] == [
        ["controller", "", "controller.enabled", "", ""],
        ["db", "store", "", "1.9.0", "https://charts.example.org"],
    ]
    assert parts[1] == -1
    assert text(kube[0]) == ">=1.28"
    assert (revision, flags) == ([COMMIT, ""], [3, 0])


def test_many_versions_stay_small() -> None:
    versions = [f"{major}.{minor}.{patch}" for major in range(3) for minor in range(20) for patch in range(50)]
    text = page(index({"acl": [entry("acl", version, appVersion=f"v{version}") for version in versions]}))
    base = page(index({}))
    assert (len(text) - len(base)) / len(versions) < 15


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}${7 * 7}",
    "line\u2028separator\u2029",
    "\u202eright to left\u2066",
    "&lt;b&gt;&amp;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_stay_texts(text: str) -> None:
    plain = Elements(page(one(description="plain")))
    found = page(
        index(
            {
                "acl": [
                    entry(
                        "acl",
                        "1.0.0",
                        description=text,
                        appVersion=text,
                        kubeVersion=text,
                        annotations={REVISION_ANNOTATION: text, text: text},
                        dependencies=[{"name": text, "condition": text, "repository": text, "version": text}],
                        sources=[text],
                        urls=[text],
                    )
                ]
            }
        ),
        title=text,
    )
    elements = Elements(found)
    assert [tag for tag, _ in elements.found] == [tag for tag, _ in plain.found], "no element came or went"
    assert [set(a) for _, a in elements.found] == [set(a) for _, a in plain.found], "no attribute came or went"
    assert not re.search("[\u2028-\u202e\u2066-\u2069]", found)
    data = data_of(found)
    assert data["charts"][0][1] == elements.texts["td"][0] == visible_text(text)
    assert data["charts"][0][10] == ""
    assert elements.attributes("data-title") == [visible_text(text)]


@pytest.mark.parametrize("name", ['"><b>', "</script>", "a&b", "{{x}}", "'", "__proto__", "../../x", "ä"])
def test_names_and_versions_stay_texts(name: str) -> None:
    found = Elements(page(index({name: [entry(name, name)]})))
    assert found.attributes("data-name") == [name]
    assert [tag for tag, _ in found.found] == [tag for tag, _ in Elements(page(one())).found]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "https://user:password@example.org/",
        "https://github.com@evil.example/",
        'https://example.org/"onclick="alert(1)',
        "https://example.org/\\@evil",
        "https://[::1",
        "https://",
        "ftp://example.org/x",
        "https://example.org/" + "a" * 3000,
        None,
    ],
)
def test_only_plain_web_addresses_are_linked(url: Any) -> None:
    assert safe_link(url) == ""
    found = page(one(sources=[url], urls=[url], dependencies=[{"name": "x", "repository": "y"}]), base_url=url)
    linked = Elements(found).attributes("href")
    assert [href for href in linked if href and not href.startswith("data:image/svg+xml,")] == ["#main", "index.yaml"]
    texts = data_of(found)["texts"]
    assert texts == ["x", "y"]


@pytest.mark.parametrize("url", ["acl-1.0.0.tgz", "charts/acl-1.0.0.tgz", "/charts/acl-1.0.0.tgz", "a%20b.tgz"])
def test_addresses_relative_to_the_index_stay(url: str) -> None:
    assert data_of(page(one(urls=[url])))["texts"] == [url.replace("1.0.0", "\x01")]


def test_addresses_relative_to_the_protocol_do_not_stay() -> None:
    assert data_of(page(one(urls=["//evil.example/acl.tgz"])))["texts"] == []


def test_nothing_is_loaded_from_anywhere() -> None:
    found = page(one(icon="https://example.org/icon.png", home="https://example.org"))
    elements = Elements(found)
    assert elements.attributes("src") == []
    assert [a["href"] for tag, a in elements.found if tag == "link"] == [
        href for href in elements.attributes("href") if href and href.startswith("data:")
    ]
    assert "url(" not in found
    assert "@import" not in found
    assert elements.attributes("style") == []
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]


def test_the_policy_allows_what_is_in_the_page_and_nothing_else() -> None:
    found = page(one())
    policy = next(a["content"] for _, a in Elements(found).found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", found, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", found, re.DOTALL)
    assert len(scripts) == len(styles) == 1
    for kind, text in (("script", scripts[0]), ("style", styles[0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy


def test_the_same_index_gives_the_same_page() -> None:
    found = one(description="x")
    first = page(found)
    assert page(Index.parse(found.text), first) == first


def test_a_page_of_somebody_else_is_left_alone() -> None:
    found = one()
    ours = page(index({}))
    assert GENERATOR in ours
    for theirs in ("", "<h1>Our charts</h1>", f"{' ' * 5000}{GENERATOR}", ours.replace(GENERATOR, "")):
        assert render(found, theirs, title=TITLE) is None


def test_our_page_is_kept_up_to_date() -> None:
    earlier = page(index({}))
    assert page(one(), earlier) == page(one())


@pytest.mark.parametrize("text", ["", "apiVersion: v1\nentries: {}\n", "apiVersion: v1\nentries:\n  acl: []\n"])
def test_an_index_without_charts(text: str) -> None:
    found = page(Index.parse(text))
    assert "Nothing has been published here yet" in found
    assert data_of(found) == {"texts": [], "dependencies": [], "charts": []}


def test_entries_that_are_none_are_left_out() -> None:
    found = Index.parse(
        """\
apiVersion: v1
entries:
  acl:
  - no entry
  - version: 1.10
    name: acl
    created: yesterday
    urls: none
    sources: {a: b}
    dependencies: [x, {name: {}}, {name: [a]}, {condition: x}]
    annotations: [a]
    description: [1]
    deprecated: "true"
  - version: 1.10
    description: again
  - {}
  - version: ["1"]
  - version: "1.0 0"
  - version: "1.0\\e[2J"
  - version: 2025-01-01
    created: 2025-99-99T00:00:00Z
  "two words": [{version: 1.0.0}]
  "es\\u202ec": [{version: 1.0.0}]
  "": [{version: 1.0.0}]
  none:
"""
    )
    assert found.problems
    shown = page_contents(found, {})
    assert [(row.name, row.version, row.released, row.description) for row in shown.rows] == [("acl", "1.10", "", "")]
    assert sorted(shown.data["charts"][0][3]) == ["1.10", "2025-01-01"]
    assert shown.data["charts"][0][4:] == [-1, -1, -1, -1, -1, -1, "", 0]
    page(found)


def test_text_is_bounded_and_visible() -> None:
    assert visible_text("a\ud800\ufeff  \x00\n\tb ") == "a b"
    assert visible_text(3) == safe_link(3) == ""
    assert len(visible_text("x" * 1_000_000)) == 500


@pytest.mark.parametrize(
    ("title", "alias"),
    [
        ("gardener-community/gardener-charts", "gardener-charts"),
        ("o/My.Charts_2", "my-charts-2"),
        ("charts.example.org", "charts-example-org"),
        ("charts.example.org/stable", "stable"),
        ("Helm charts", "helm-charts"),
        ("/", "charts"),
        ("ü", "charts"),
        ("x" * 80, "x" * 63),
    ],
)
def test_the_alias_is_a_name_for_helm_and_kubernetes(title: str, alias: str) -> None:
    assert suggest_alias(title) == alias


def test_each_destination_has_its_title_and_address() -> None:
    def attributes(text: str | None) -> list[str | None]:
        assert text is not None
        return [Elements(text).attributes(name)[0] for name in ("data-title", "data-url", "data-alias")]

    found = one()
    assert attributes(github_page("o", "charts", {})(found, None)) == ["o/charts", "", "charts"]
    assert attributes(directory_page(None, {})(found, None)) == ["Helm charts", "", "helm-charts"]
    url = "https://charts.example.org:8443/stable/"
    assert attributes(directory_page(url, {})(found, None)) == [
        "charts.example.org/stable",
        "https://charts.example.org:8443/stable",
        "stable",
    ]
    assert "helm repo add stable https://charts.example.org:8443/stable<" in str(directory_page(url, {})(found, None))
