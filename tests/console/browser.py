"""Headless Chromium on the console of a real server, and what a person would do with it."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = "there is no browser: apt-get install chromium chromium-driver"
PATIENCE_S = 90.0
# What the browser itself would ask the world for at its start.
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-default-apps --disable-extensions "
    "--force-prefers-reduced-motion --hide-scrollbars --lang=en-GB"
)
# Elements of a selector that a person sees and that have a text in them, found in one question to the browser: asking
# it for each element whether it is displayed, and what it says, took most of its time.
SEEN = """
const shown = each =>
  each.matches("option") ? shown(each.closest("select"))
  : getComputedStyle(each).display === "contents" ? [...each.children].some(shown)
  : each.checkVisibility({visibilityProperty: true, opacityProperty: true}) && each.getClientRects().length > 0;
const seen = [...document.querySelectorAll(arguments[0])].filter(shown);
return arguments[1] ? seen.filter(each => each.innerText.includes(arguments[1])) : seen;
"""
# How often an element is looked for again that was drawn anew between its finding and its use.
REDRAWN = 20
T = TypeVar("T")


class Found:
    """An element of the page, which is looked for again where the page is drawn anew before it is used.

    Raises ``AssertionError``: it does not appear, now or when it is looked for again.
    """

    def __init__(self, find: Callable[[], WebElement]) -> None:
        self._find = find
        self._element: WebElement | None = find()

    @property
    def text(self) -> str:
        return self.use(lambda element: str(element.text))

    def click(self) -> None:
        self.use(lambda element: element.click())

    def send_keys(self, *keys: str) -> None:
        self.use(lambda element: element.send_keys(*keys))

    def get_attribute(self, name: str) -> str | None:
        return self.use(lambda element: element.get_attribute(name))

    def is_enabled(self) -> bool:
        return self.use(lambda element: element.is_enabled())

    def use(self, act: Callable[[WebElement], T]) -> T:
        """What ``act`` gives for the element as it is now."""

        def again() -> T:
            element, self._element = self._element or self._find(), None
            made = act(element)
            self._element = element
            return made

        return steady(again)


def steady(look: Callable[[], T]) -> T:
    """What ``look`` gives in one state of the page: again, where the page is drawn anew meanwhile."""
    for _ in range(REDRAWN):
        try:
            return look()
        except StaleElementReferenceException:
            continue
    return look()


class Browser:
    """One browser window. What is found is waited for: nothing here sleeps for a fixed time."""

    def __init__(self, url: str, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(PROGRAM)
        for argument in (*QUIET.split(), f"--user-data-dir={profile}", "--window-size=1280,860"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
        self.url = url
        self._requests: list[str] = []

    def open(self, path: str = "/console") -> None:
        self.driver.get(self.url + path)

    def sign_in(self, key: str, path: str = "/console") -> None:
        """Open ``path`` as whoever has ``key``."""
        self.open("/console")
        self.driver.execute_script("sessionStorage.clear(); localStorage.clear()")
        self.open(path)
        self.find("input[name=key]").send_keys(key + Keys.ENTER)
        self.find("nav[aria-label=Pages]")

    def until(self, look: Callable[[], T | None], what: str) -> T:
        """What ``look`` gives once it gives anything."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                if found := look():
                    return found
            except WebDriverException:
                # What was looked at has just been drawn anew.
                pass
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not appear; the page says:\n{self.text()}")
            time.sleep(0.05)

    def all(self, css: str, text: str = "") -> list[WebElement]:
        """The visible elements of a selector that have ``text`` in them."""
        found: list[WebElement] = self.driver.execute_script(SEEN, css, text)
        return found

    def texts(self, css: str) -> list[str]:
        """What each visible element of a selector says, read in one state of the page."""
        return steady(lambda: [str(each.text) for each in self.all(css)])

    def find(self, css: str, text: str = "") -> Found:
        """The first visible element of a selector that has ``text`` in it."""

        def look() -> WebElement | None:
            return next(iter(self.all(css, text)), None)

        return Found(lambda: self.until(look, f"{css} {text!r}"))

    def click(self, css: str, text: str = "") -> None:
        def press() -> bool:
            self.find(css, text).click()
            return True

        self.until(press, f"{css} {text!r}, to be clicked,")

    def press(self, label: str) -> None:
        """Click the button of that name."""
        self.click(f'button[aria-label="{label}"]')

    def type(self, css: str, text: str) -> None:
        self.find(css).send_keys(text)

    def fill(self, css: str, text: str) -> None:
        """Put ``text`` in the place of what is there."""
        self.find(css).send_keys(Keys.CONTROL + "a" + Keys.NULL + text)

    def text(self) -> str:
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    def says(self, text: str) -> None:
        """Wait until the page says ``text``."""
        self.until(lambda: text in self.text(), repr(text))

    def gone(self, css: str) -> None:
        """Wait until nothing of a selector is visible."""
        self.until(lambda: not self.all(css), f"the end of {css}")

    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def focus(self) -> str:
        """What has the focus: its label or text."""
        return str(
            self.run(
                "const at = document.activeElement; "
                "return at.getAttribute('aria-label') || at.innerText || at.getAttribute('name') || at.tagName"
            )
        )

    def keys(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        for key in keys:
            webdriver.ActionChains(self.driver).send_keys(key).perform()

    def look(self, theme: str = "light", width: int = 1280, height: int = 860) -> None:
        """The theme that the system asks for, and the size of the window in CSS pixels."""
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def picture(self) -> bytes:
        """The window as a PNG."""
        made = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        return base64.b64decode(made["data"])

    def overflow(self) -> int:
        """How many CSS pixels the page is wider than its window."""
        return int(self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def requests(self) -> list[str]:
        """Every address that pages have asked for so far."""
        for entry in self._log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self._requests.append(message["params"]["request"]["url"])
        return self._requests

    def _log(self, kind: str) -> list[dict[str, Any]]:
        read: Callable[[str], list[dict[str, Any]]] = self.driver.get_log
        return read(kind)

    def complaints(self) -> list[str]:
        """What pages have written to the browser's console, but for answers that were refused."""
        lines = [str(entry["message"]) for entry in self._log("browser")]
        return [line for line in lines if "Failed to load resource" not in line]

    def axe(self, source: str) -> list[str]:
        """What the accessibility checker finds wrong with the page as it is."""
        self.run(source)
        found = self.driver.execute_async_script(
            "const done = arguments[0]; "
            "axe.run(document, {resultTypes: ['violations']}).then(done, failure => done({error: String(failure)}))"
        )
        assert "error" not in found, found
        return [
            f"{each['id']}: {each['help']}: {node['html'][:160]} {node['any'][:1] and node['any'][0]['message']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def close(self) -> None:
        self.driver.quit()
