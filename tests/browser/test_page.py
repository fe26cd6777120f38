"""The page in a browser: what people and attackers would do with it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from chart_releaser.index.index import Index
from chart_releaser.page.page import render
from tests.browser.conftest import Browser
from tests.serving import served
from tools import get_axe

TITLE = "gardener-community/gardener-charts"
UPSTREAM = "https://github.com/gardener/gardener-extension-provider-azure"
REVISION = "0123456789abcdef0123456789abcdef01234567"
BACK = Keys.SHIFT + Keys.TAB
EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>{{7*7}}\u2028'\"&lt;"


def entry(name: str, version: str, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v2",
        "name": name,
        "version": version,
        "description": f"A helmchart for {name}",
        "created": "2025-10-10T07:30:52Z",
        "digest": "7025401985bf03428d4ab15f94c18fae638df84aa73fd45d682c1d43d8f72fac",
        "urls": [f"https://github.com/{TITLE}/releases/download/{name}-{version}/{name}-{version}.tgz"],
        **more,
    }


def example() -> list[dict[str, Any]]:
    day = datetime(2025, 9, 1, tzinfo=UTC)
    parts = ["controller", "admission-azure-application", "admission-azure-runtime"]
    azure: dict[str, Any] = {
        "sources": ["https://github.com/someone/else", UPSTREAM],
        "annotations": {"org.opencontainers.image.revision": REVISION},
        "dependencies": [{"name": part, "condition": f"{part}.enabled", "repository": ""} for part in parts],
        "kubeVersion": ">=1.28",
    }
    found = [
        entry(
            "provider-azure",
            f"1.{minor}.{patch}",
            appVersion=f"v1.{minor}.{patch}",
            created=f"{day + timedelta(days=10 * (minor - 50) + patch):%Y-%m-%dT00:00:00Z}",
            **azure,
        )
        for minor in range(50, 58)
        for patch in range(5)
    ]
    found.append(entry("provider-azure", "1.58.0-rc.1", appVersion="v1.58.0-rc.1", **azure))
    found += [entry(f"provider-{name}", "1.0.0") for name in ("aws", "gcp", "openstack")]
    found.append(entry("image-rewriter", "0.3.1", deprecated=True, description="Rewrites the images of Azure nodes"))
    found.append(entry("common", "2.0.0", type="library"))
    database = {"name": "postgresql", "alias": "db", "version": "~15.5", "repository": "https://charts.example.org"}
    switches = [{"name": "odd", "condition": "odd=1,odd.enabled", "repository": ""}, database]
    found.append(entry("mixed", "1.0.0+build.7", dependencies=switches, urls=["mixed-1.0.0+build.7.tgz"]))
    return found


def write(folder: Path, entries: list[dict[str, Any]], **options: Any) -> None:
    index = Index.parse(Index.parse(None).merge(entries, generated=datetime(2025, 11, 21, tzinfo=UTC)))
    text = render(index, None, title=TITLE, **options)
    assert text is not None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(text)
    (folder / "index.yaml").write_text(index.text)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page below a path of its own, as on a Pages site."""
    folder = tmp_path_factory.mktemp("site")
    write(folder / "some" / "gardener-charts", example(), repositories={"provider-azure": UPSTREAM})
    with served(folder) as base:
        yield f"{base}/some/gardener-charts"


def names(browser: Browser) -> list[str]:
    return browser.texts("#rows .name")


def test_the_overview(browser: Browser, site: str) -> None:
    browser.open(f"{site}/")
    assert names(browser) == sorted({item["name"] for item in example()})
    assert browser.texts("#rows tr[data-name=provider-azure] td") == [
        "A helmchart for provider-azure",
        "1.57.4",
        "v1.57.4",
        "gardener/gardener-extension-provider-azure",
        "2025-11-14",
    ]
    assert browser.text_content("#add-command") == f"helm repo add gardener-charts {site}"
    assert browser.texts(".charts .badge") == ["deprecated"]
    assert [url for url in browser.requests() if url.startswith("http")] == [f"{site}/"]


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_the_overview_says_the_same_at_every_width(browser: Browser, site: str, tmp_path: Path, width: int) -> None:
    browser.look(width=width, height=900, scheme="light")
    browser.open(f"{site}/")
    shown = ["A helmchart for provider-azure", "1.57.4", "v1.57.4", "gardener/gardener-extension-provider-azure"]
    assert browser.texts("#rows tr[data-name=provider-azure] td") == [*shown, "2025-11-14"]
    assert browser.run("return document.documentElement.scrollWidth") <= width
    write(tmp_path, [entry("one", "1.0.0")])
    with served(tmp_path) as base:
        browser.open(f"{base}/")
        assert browser.all(".charts .upstream") == [], "no column for what no chart has"
        assert names(browser) == ["one"]


def test_filtering_and_sorting(browser: Browser, site: str) -> None:
    browser.open(f"{site}/index.html")
    field = browser.one("#filter")
    field.send_keys("azure")
    assert names(browser) == ["image-rewriter", "provider-azure"], "descriptions count"
    assert browser.texts("#count") == ["2 of 7 charts"]
    field.send_keys(" PROVIDER-")
    assert names(browser) == ["provider-azure"]
    field.send_keys(" nothing")
    assert names(browser) == []
    browser.one("#clear").click()
    assert len(names(browser)) == 7
    assert browser.focused() == "Filter the charts"
    browser.one("#sort option[value=released]").click()
    assert names(browser)[0] == "provider-azure"
    browser.one("#sort option[value=name]").click()
    assert names(browser) == sorted(names(browser))


def test_a_chart(browser: Browser, site: str) -> None:
    browser.open(f"{site}/")
    # The whole row is the chart's link.
    ActionChains(browser.driver).click(browser.one("tr[data-name=provider-azure] .about")).perform()
    assert browser.texts("#chart h1") == ["provider-azure"]
    assert browser.driver.title == f"provider-azure · {TITLE}"
    assert browser.driver.current_url.endswith("/#/provider-azure")
    links = {element.text: element.get_attribute("href") for element in browser.all(".details a")}
    assert links == {
        "Release notes": f"https://github.com/{TITLE}/releases/tag/provider-azure-1.57.4",
        "provider-azure-1.57.4.tgz": (
            f"https://github.com/{TITLE}/releases/download/provider-azure-1.57.4/provider-azure-1.57.4.tgz"
        ),
        "gardener/gardener-extension-provider-azure": UPSTREAM,
        "v1.57.4": f"{UPSTREAM}/releases/tag/v1.57.4",
        "0123456789": f"{UPSTREAM}/commit/{REVISION}",
    }
    assert browser.texts("#chart h2") == ["Install", "Parts and switches", "Details", "41 versions"]
    assert len(browser.all(".versions tbody tr")) == 25
    browser.one(".more").click()
    assert len(browser.all(".versions tbody tr")) == 41
    assert browser.texts(".versions .badge") == ["newest"]
    assert browser.all(".more") == []
    browser.driver.find_element("link text", "1.50.0").click()
    assert browser.texts(".chosen") == ["1.50.0"]
    assert "--version 1.50.0" in browser.text_content("#commands code")
    assert browser.texts("#chart .notice") == ["The newest version is 1.57.4."]
    browser.driver.back()
    assert browser.texts(".chosen") == ["1.57.4"]
    browser.driver.back()
    assert len(names(browser)) == 7
    assert browser.focused() == "provider-azure"
    assert browser.driver.title == TITLE


def test_switches_reach_the_commands(browser: Browser, site: str) -> None:
    browser.open(f"{site}/#/provider-azure")
    for box in browser.all(".parts input")[:2]:
        box.click()
    assert browser.text_content("#commands code").splitlines() == [
        f"helm repo add gardener-charts {site}",
        "helm repo update gardener-charts",
        "helm install provider-azure gardener-charts/provider-azure --version 1.57.4 \\",
        "  --set controller.enabled=true \\",
        "  --set admission-azure-application.enabled=true",
    ]
    values = {"controller": {"enabled": True}, "admission-azure-application": {"enabled": True}}
    browser.one("#tab-Flux").click()
    repository, release = yaml.safe_load_all(browser.text_content("#commands code"))
    assert (repository["kind"], repository["spec"]["url"]) == ("HelmRepository", site)
    assert release["kind"] == "HelmRelease"
    assert release["spec"]["values"] == values
    assert release["spec"]["chart"]["spec"] == {
        "chart": "provider-azure",
        "version": "1.57.4",
        "sourceRef": {"kind": "HelmRepository", "name": repository["metadata"]["name"]},
    }
    browser.one("#tab-Argo-CD").click()
    source = yaml.safe_load(browser.text_content("#commands code"))["spec"]["source"]
    assert source == {
        "repoURL": site,
        "chart": "provider-azure",
        "targetRevision": "1.57.4",
        "helm": {"valuesObject": values},
    }
    browser.one("#tab-Dependency").click()
    assert yaml.safe_load(browser.text_content("#commands code"))["dependencies"] == [
        {"name": "provider-azure", "version": "1.57.4", "repository": site}
    ]


def test_parts_without_a_plain_switch(browser: Browser, site: str) -> None:
    browser.open(f"{site}/#/mixed")
    assert [element.text.splitlines() for element in browser.all(".parts li")] == [
        ["odd", "odd=1,odd.enabled"],
        ["db (postgresql)", "~15.5 from https://charts.example.org", "always on"],
    ]
    assert browser.all(".parts input") == []
    assert browser.one(".details a").get_attribute("href") == f"{site}/mixed-1.0.0+build.7.tgz"


def test_a_library_is_used_and_not_installed(browser: Browser, site: str) -> None:
    browser.open(f"{site}/#/common")
    assert browser.texts("[role=tab]") == ["Dependency"]
    assert "helm install" not in browser.text_content("#commands code")


@pytest.mark.parametrize("route", ["#/none", "#/provider-azure/9.9.9", "#/%", "#/constructor", "#/__proto__"])
def test_an_address_of_nothing(browser: Browser, site: str, route: str) -> None:
    browser.open(f"{site}/{route}")
    assert "There is no" in browser.one("#chart h1").text
    browser.one(".back").click()
    assert len(names(browser)) == 7


def copied(browser: Browser) -> str:
    """What a paste would give now."""
    return str(browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0], arguments[0])"))


def test_copying(browser: Browser, site: str) -> None:
    origin = site.split("/some", maxsplit=1)[0]
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.command("Browser.grantPermissions", origin=origin, permissions=permissions)
    browser.open(f"{site}/")
    browser.one("#add .copy").click()
    assert copied(browser) == f"helm repo add gardener-charts {site}"
    assert browser.one("#add .copy").text == "Copied"
    browser.open(f"{site}/#/provider-aws")
    browser.one("#panel .copy").click()
    assert copied(browser) == browser.text_content("#commands code")
    assert len(copied(browser).splitlines()) == 3


def test_copying_without_a_clipboard_object(browser: Browser, site: str) -> None:
    origin = site.split("/some", maxsplit=1)[0]
    browser.command(
        "Browser.grantPermissions", origin=origin, permissions=["clipboardReadWrite", "clipboardSanitizedWrite"]
    )
    browser.open(f"{site}/")
    browser.run("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    browser.one("#add .copy").click()
    assert browser.one("#add .copy").text == "Copied"
    assert copied(browser) == f"helm repo add gardener-charts {site}"
    browser.run("document.execCommand = () => false")
    browser.one("#add .copy").click()
    assert browser.one("#add .copy").text == "Selected"
    assert browser.run("return getSelection().toString()").strip() == f"helm repo add gardener-charts {site}"


def test_with_the_keyboard_alone(browser: Browser, site: str) -> None:
    browser.open(f"{site}/")
    browser.press(Keys.TAB)
    assert browser.focused() == "Skip to the content"
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "main"
    browser.press("/")
    assert browser.focused() == "Filter the charts"
    browser.press("azure/")
    assert browser.texts("#count") == ["0 of 7 charts"], "in the field / is a character"
    browser.press(Keys.ESCAPE)
    assert browser.texts("#count") == ["7 charts"]
    browser.press("provider-az")
    browser.press(Keys.TAB, Keys.TAB)
    assert browser.focused() == "provider-azure"
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "chart-title"
    browser.press(Keys.TAB)
    assert browser.focused() == "Helm"
    browser.press(Keys.ARROW_RIGHT)
    assert browser.focused() == "Flux"
    browser.press(Keys.END)
    assert browser.focused() == "Dependency"
    browser.press(Keys.ARROW_RIGHT)
    assert browser.focused() == "Helm"
    assert browser.one("#tab-Helm").get_attribute("aria-selected") == "true"
    browser.press(Keys.TAB)
    assert browser.focused() == "What to copy"
    browser.press(Keys.TAB)
    assert browser.focused() == "Copy these commands"
    browser.press(Keys.TAB)
    assert browser.focused() == "checkbox"
    browser.press(Keys.SPACE)
    assert "--set controller.enabled=true" in browser.text_content("#commands code")
    browser.driver.back()
    assert browser.focused() == "provider-azure"
    assert browser.texts("#count") == ["1 of 7 charts"], "the filter is as it was"
    browser.press(BACK, BACK, Keys.ENTER)
    assert browser.texts("#chart h1") == ["provider-azure"], "Enter opens the first match"


def test_hostile_texts_are_shown(browser: Browser, tmp_path: Path) -> None:
    name = "'$(id)\"<img/src=x/onerror=alert(1)>"
    fields = {
        "description": EVIL,
        "appVersion": EVIL,
        "kubeVersion": EVIL,
        "sources": ["javascript:alert(1)"],
        "urls": ["data:text/html,<script>alert(1)</script>"],
        "dependencies": [{"name": EVIL, "condition": EVIL, "repository": f"oci://{EVIL}", "version": EVIL}],
    }
    write(tmp_path, [entry(name, "1.0.0;id", **fields), entry("javascript:alert(1)", "1.0.0"), entry("__proto__", "1")])
    with served(tmp_path) as site:
        browser.open(f"{site}/")
        shown = EVIL.replace("\u2028", " ")
        assert name in names(browser)
        assert browser.text_content("#rows .about") == shown
        for link in browser.all("#rows .name"):
            assert (link.get_attribute("href") or "").startswith(f"{site}/#/")
        browser.driver.find_element("link text", name).click()
        assert browser.texts("#chart h1") == [name]
        assert browser.text_content("#chart .description") == shown
        assert browser.text_content(".parts .label") == shown
        assert browser.all(".parts input, .details a") == []
        assert browser.text_content("#commands code").splitlines()[2] == (
            "helm install id-img-src-x-onerror-alert-1 "
            "'gardener-charts/'\\''$(id)\"<img/src=x/onerror=alert(1)>' --version '1.0.0;id'"
        )
        browser.one("#tab-Flux").click()
        _, release = yaml.safe_load_all(browser.text_content("#commands code"))
        assert release["spec"]["chart"]["spec"]["chart"] == name
        assert browser.run("return document.querySelectorAll('img, script:not([id])').length") == 1
        assert "owned" not in browser.driver.title
        assert {url.split("/#")[0] for url in browser.requests()} <= {"about:blank", f"{site}/", "data:,"}


def test_nothing_is_asked_of_other_hosts(browser: Browser, site: str) -> None:
    browser.open(f"{site}/#/provider-azure")
    browser.one(".back").click()
    browser.one("#filter").send_keys("a")
    foreign = [url for url in browser.requests() if not url.startswith((f"{site}/", "data:", "about:"))]
    assert foreign == []


def test_the_policy_is_in_force(browser: Browser, site: str) -> None:
    browser.open(f"{site}/")
    browser.run(
        "const i = document.createElement('img'); i.src = arguments[0]; document.body.append(i)", f"{site}/x.png"
    )
    for attempt in ("s.textContent = code", "document.body.setAttribute('onclick', code)"):
        browser.run(
            "const s = document.createElement('script'), code = 'document.title = 1';"
            f"try {{ {attempt}; document.body.append(s); }} catch {{ }}"
        )
    browser.one("footer").click()
    assert browser.driver.title == TITLE
    assert len(browser.complaints()) >= 3


def test_without_scripts_the_overview_is_there(browser: Browser, site: str) -> None:
    browser.look(script=False)
    browser.open(f"{site}/")
    assert names(browser) == sorted({item["name"] for item in example()})
    assert "JavaScript" in browser.one("noscript").text
    assert browser.all("#filter, .copy, #chart") == []
    assert [element.get_attribute("href") for element in browser.all("#rows .name[href]")] == [], "no dead links"


def test_from_a_file(browser: Browser, tmp_path: Path) -> None:
    write(tmp_path, example())
    browser.open(f"{(tmp_path / 'index.html').as_uri()}#/provider-aws")
    assert "https://ADDRESS-OF-THIS-REPOSITORY" in browser.text_content("#commands code")


def test_at_a_known_address(browser: Browser, tmp_path: Path) -> None:
    write(tmp_path, example(), base_url="https://charts.example.org/stable/")
    with served(tmp_path) as site:
        browser.open(f"{site}/")
        assert browser.text_content("#add-command") == "helm repo add gardener-charts https://charts.example.org/stable"


def test_an_empty_repository(browser: Browser, tmp_path: Path) -> None:
    write(tmp_path, [])
    with served(tmp_path) as site:
        browser.open(f"{site}/")
        assert browser.texts(".nothing") == ["Nothing has been published here yet."]
        assert browser.text_content("#add-command") == f"helm repo add gardener-charts {site}"


def test_many_versions(browser: Browser, tmp_path: Path) -> None:
    numbers = [f"{major}.{minor}.{patch}" for major in range(10) for minor in range(20) for patch in range(50)]
    write(tmp_path, [entry("one", number) for number in numbers] + [entry(f"c-{n}", "1.0.0") for n in range(1000)])
    with served(tmp_path) as site:
        browser.open(f"{site}/")
        started = time.monotonic()
        milliseconds = browser.run(
            "const f = document.getElementById('filter'), start = performance.now();"
            "for (const text of ['c', 'c-', 'c-9', 'c-99', '']) {"
            "  f.value = text; f.dispatchEvent(new Event('input')); document.body.offsetHeight; }"
            "return (performance.now() - start) / 5"
        )
        assert milliseconds < 250, "a few milliseconds where nothing else is running"
        browser.open(f"{site}/#/one")
        assert browser.texts("#chart h1") == ["one"]
        assert time.monotonic() - started < 30
        assert len(browser.driver.find_elements("css selector", ".versions tbody tr")) == 25
        browser.one(".more").click()
        assert len(browser.driver.find_elements("css selector", ".versions tbody tr")) == 1025


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_axe_finds_nothing(browser: Browser, site: str, tmp_path: Path, width: int, scheme: str) -> None:
    """Screenshots go to SCREENSHOTS, or else to the test's own folder."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    axe = get_axe.SCRIPT.read_text(encoding="utf-8") if get_axe.SCRIPT.exists() else None
    browser.look(width=width, height=900 if width > 500 else 844, scheme=scheme)
    for name, route in (("overview", ""), ("chart", "#/provider-azure"), ("older", "#/provider-azure/1.50.0")):
        browser.open(f"{site}/{route}")
        assert browser.run("return document.documentElement.scrollWidth") <= width
        assert browser.driver.save_screenshot(str(folder / f"{name}-{width}-{scheme}.png"))
        if axe is None:
            continue
        browser.run(axe)
        found = browser.driver.execute_async_script("axe.run().then((r) => arguments[0](r.violations), arguments[0])")
        assert [(item["id"], [node["html"][:200] for node in item["nodes"]]) for item in found] == []
