"""The size of the console's first load; ``benchmarks/console_load.py`` measures its time."""

from __future__ import annotations

import json

from tests.conftest import Server
from tests.console.browser import Browser
from tests.console.test_chat import COMPOSER

MOST_BYTES = 200_000
WEIGHED = """
const files = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .filter(each => new URL(each.name).pathname.startsWith('/console'));
return JSON.stringify({bytes: files.reduce((sum, each) => sum + each.encodedBodySize, 0), files: files.length})
"""


def test_the_first_load_is_small(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    browser.find(COMPOSER)
    browser.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.driver.refresh()
    browser.find(COMPOSER)
    found = json.loads(browser.run(WEIGHED))
    assert found["files"] > 3
    # An entry whose body came from a cache would weigh nothing here.
    assert 50_000 < found["bytes"] < MOST_BYTES
