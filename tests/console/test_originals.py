"""Where an answer comes from: the page of the original beside the text, tables as such, and sources followed again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Server
from tests.console.browser import Browser
from tests.console.test_chat import QUESTION, ask

PIXELS = """
const at = document.querySelector('dialog canvas');
const data = at.getContext('2d').getImageData(0, 0, at.width, at.height).data;
let marked = 0;
for (let i = 0; i < data.length; i += 4) if (data[i] > 240 && data[i + 1] > 200 && data[i + 2] < 140) marked++;
return marked
"""


def test_a_citation_opens_the_page_of_the_original_with_the_passage_marked(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    ask(browser, QUESTION)
    browser.click(".source-name", "returns")
    picture = browser.find("dialog canvas[role=img]")
    assert "the passage marked" in str(picture.get_attribute("aria-label"))
    assert browser.run("return document.querySelector('dialog canvas').width") > 400
    assert browser.run(PIXELS) > 200
    assert browser.find("dialog mark").text
    browser.press("Close")
    browser.gone("dialog")


def test_a_page_whose_original_is_gone_says_so_beside_the_text(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    store = server.call("POST", "/v1/vector_stores", {"name": f"gone {tmp_path.name}"[:60]})[1]["id"]
    (handbook,) = [e for e in server.call("GET", "/v1/vector_stores")[1]["data"] if e["name"] == "handbook"]
    files = server.call("GET", f"/v1/vector_stores/{handbook['id']}/files?limit=100")[1]["data"]
    sheet = next(each for each in files if each["filename"] == "shipping-rates.xlsx")
    # What is no PDF has no pages.
    status, refused = server.call("GET", f"/v1/vector_stores/{handbook['id']}/files/{sheet['id']}/pages/1")
    assert status == 422, refused
    assert "is not a PDF" in refused["error"]["message"]
    assert server.call("GET", f"/v1/vector_stores/{store}/files/{sheet['id']}/pages/1")[0] == 404
    # A row of a table is shown as one.
    browser.sign_in(server.key, f"/console/knowledge/{handbook['id']}/{sheet['id']}")
    browser.click(".chunk button", "In the document")
    browser.find("dialog .document-text th")
    assert browser.find("dialog .document-text td mark").text
    server.call("DELETE", f"/v1/vector_stores/{store}")


def test_a_source_is_followed_again_and_tells_what_came_of_it(browser: Browser, server: Server) -> None:
    (handbook,) = [e for e in server.call("GET", "/v1/vector_stores")[1]["data"] if e["name"] == "handbook"]
    browser.sign_in(server.key, f"/console/knowledge/{handbook['id']}")
    browser.click("button[aria-label^='Sync ']")
    browser.find("section[aria-label=Sources] td", "unchanged")
    (source, *_) = server.call("GET", f"/v1/vector_stores/{handbook['id']}/sources")[1]["data"]
    assert source["sync"]["state"] == "done", json.dumps(source)
    assert source["sync"]["report"]["unchanged"] > 0
