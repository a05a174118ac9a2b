"""A browser for the tests of the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import ROOT, Server
from tests.console import browser as browsers
from tests.console.browser import Browser

AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def chromium(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if browsers.PROGRAM is None or browsers.DRIVER is None:
        pytest.skip(browsers.MISSING)
    made = Browser(server.url, tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """The one browser, in a window of usual size."""
    chromium.look()
    chromium.complaints()
    return chromium


@pytest.fixture(scope="session")
def checker() -> str:
    """The source of axe-core, which is no part of the console: its licence is MPL-2.0. Empty where it is not there."""
    return AXE.read_text(encoding="utf-8") if AXE.exists() else ""


@pytest.fixture(scope="session")
def axe(checker: str) -> str:
    """The source of axe-core; skips the test where it is not there."""
    if not checker:
        pytest.skip("no accessibility checker: (cd console && npm install --no-save axe-core)")
    return checker
