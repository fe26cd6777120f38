"""A headless Chromium for the tests of the page; REQUIRE_BROWSER=1 fails where there is none, else they are skipped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.lacking import lacking

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that `-m "not browser"` leaves them out."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.browser)


def _missing(reason: str) -> NoReturn:
    lacking(f"the page: {reason}", "REQUIRE_BROWSER")


class Browser:
    """The browser, as these tests use it."""

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Load a page, even one that differs from the present one only behind its #."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def one(self, selector: str) -> WebElement:
        """The element that a CSS selector finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """All that can be seen of the elements that it finds."""
        return [element for element in self.driver.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]

    def texts(self, selector: str) -> list[str]:
        """Their texts."""
        return [element.text for element in self.all(selector)]

    def text_content(self, selector: str) -> str:
        """The text as it would be copied, whether it can be seen or not."""
        return str(self.one(selector).get_property("textContent"))

    def press(self, *keys: str) -> None:
        """Press keys one after another, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focused(self) -> str:
        """What has the focus, in a few words: its name for people, or its id."""
        return str(
            self.run(
                "const e = document.activeElement;"
                "return e.getAttribute('aria-label') || (e.tagName === 'INPUT' ? e.type : '') || e.textContent || e.id"
            )
        )

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page; not subject to the page's own policy."""
        return self.driver.execute_script(script, *arguments)

    def command(self, name: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def look(self, *, width: int = 1280, height: int = 900, scheme: str = "light", script: bool = True) -> None:
        """How the page is seen from now on."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", features=features)
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        self.command("Emulation.setScriptExecutionDisabled", value=not script)

    def complaints(self) -> list[str]:
        """What the browser logged since the last time: script errors, violations of the policy, failed loads."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requests(self) -> list[str]:
        """Every address that was asked for since the last time."""
        messages = [json.loads(entry["message"]) for entry in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        return [
            message["message"]["params"]["request"]["url"]
            for message in messages
            if message["message"]["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="session")
def _driver(_clean_session: None) -> Iterator[WebDriver]:
    binary = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver_binary = shutil.which("chromedriver")
    if binary is None or driver_binary is None:
        _missing("install Chromium and its driver (on Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    # Tests run in containers too, as root and with a small /dev/shm; the pages are our own.
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars", "no-proxy-server"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        driver = webdriver.Chrome(options=options, service=Service(driver_binary))
    except WebDriverException as error:
        _missing(f"{binary} does not start: {(error.msg or '').splitlines()[0]}")
    yield driver
    driver.quit()


@pytest.fixture
def browser(_driver: WebDriver) -> Iterator[Browser]:
    """A browser with nothing left of the test before; what is wrong with a page fails the test."""
    browser = Browser(_driver)
    browser.look()
    browser.complaints()
    browser.requests()
    yield browser
    complaints = browser.complaints()
    browser.look()
    browser.driver.get("about:blank")
    assert complaints == []
