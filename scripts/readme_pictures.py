"""Pictures of the console for the README: a server that answers from this documentation.

python scripts/readme_pictures.py docs/pictures
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts.console_pictures import save  # noqa: E402

from tests.conftest import start_server, stop_server  # noqa: E402
from tests.console.browser import Browser  # noqa: E402
from tests.console.test_chat import ask  # noqa: E402

QUESTIONS = ("Who pays for a batch?", "Which formats need an extra?")
SIZE = (1200, 840)


def readme(folder: Path, home: Path) -> None:
    """An answer from the documentation, and its trace."""
    docs = home / "mainspring-docs"
    left_out = shutil.ignore_patterns("pictures", "log.md", "benchmarks*.md", "settings.md")
    shutil.copytree(ROOT / "docs", docs, ignore=left_out)
    server = start_server(home / "home", "--ingest", str(docs), "--collection", docs.name)
    browser = Browser(server.url, home / "profile")
    try:
        # A passage is read by the reranker once; the pictures are of a server that has been asked before.
        for question in QUESTIONS:
            asked = {"model": docs.name, "messages": [{"role": "user", "content": question}]}
            server.call("POST", "/v1/chat/completions", asked)
        browser.sign_in(server.key)
        browser.look("light", *SIZE)
        browser.open("/console/chat")
        for question in QUESTIONS:
            ask(browser, question, "mainspring-docs")
        browser.gone(".spinner")
        save(browser, folder / "readme-answer.png")
        browser.open("/console/traces")
        browser.click(".table tbody a")
        browser.find(".span-row")
        save(browser, folder / "readme-trace.png")
    finally:
        browser.close()
        stop_server(server)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        readme(Path(sys.argv[1]), Path(home))
