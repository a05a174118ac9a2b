"""The size of the console's first load, and its time on loopback until a question can be written.

    python benchmarks/console_load.py [--runs 9]

Each run has an empty browser cache. The clock starts with the navigation and stops when the field for questions is
there with the focus in it; whoever signs in is known already. The size is that of all files of the console that the
page has asked for by then, as they came over the wire (compressed, without headers).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from _report import Figure, report, skip
from _server import UNLIMITED, serving
from _stats import Spread

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.console import browser as browsers  # noqa: E402
from tests.console.browser import Browser  # noqa: E402

# Looks at every frame, from the first on.
WATCH = """
const look = () => {
  const field = document.activeElement;
  if (field && field.matches('textarea[aria-label="Your question"]')) window.__ready = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
WEIGHED = """
const files = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .filter(each => new URL(each.name).pathname.startsWith('/console'));
return JSON.stringify({bytes: files.reduce((sum, each) => sum + each.encodedBodySize, 0), files: files.length,
  ready: window.__ready})
"""


@dataclass(frozen=True, slots=True)
class Load:
    """Seconds until a question can be written; bytes and number of files by then."""

    ready: float
    size: int
    files: int


def load(browser: Browser) -> Load:
    """Load the chat with an empty cache."""
    browser.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.open("/console/chat")
    browser.until(lambda: browser.run("return window.__ready !== undefined"), "the field for questions")
    found = json.loads(browser.run(WEIGHED))
    return Load(found["ready"] / 1000, found["bytes"], found["files"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    if browsers.PROGRAM is None or browsers.DRIVER is None:
        skip(browsers.MISSING)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "home", settings=UNLIMITED) as server:
        browser = Browser(server.url, Path(folder) / "profile")
        try:
            browser.sign_in(server.key)
            browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
            load(browser)
            loads = [load(browser) for _ in range(options.runs)]
        finally:
            browser.close()
    ready = Spread.of([each.ready for each in loads])
    said = f"{options.runs} loads with an empty cache, {ready.text()}"
    size = max(each.size for each in loads) / 1000
    report(
        "console_load",
        {
            "first load, compressed": Figure(size, "kB", "lower", floor=200, against=f"{loads[0].files} files"),
            "until one can write": Figure(ready.median, "s", "lower", floor=1.0, aim=0.5, against=said),
        },
    )


if __name__ == "__main__":
    main()
