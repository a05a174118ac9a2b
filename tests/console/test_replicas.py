"""Two engines behind one model: one is drained on the page, and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Server, start_server, stop_server
from tests.console.browser import DRIVER, MISSING, PROGRAM, Browser
from tests.gateway.test_access import CHAT


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if PROGRAM is None or DRIVER is None:
        pytest.skip(MISSING)
    running = start_server(
        tmp_path_factory.mktemp("pair"),
        MAINSPRING_MODELS__REPLICAS=json.dumps({CHAT: 2}),
        MAINSPRING_ENGINES__KV_TOKENS="16384",
    )
    yield running
    stop_server(running)


def states(server: Server) -> list[str]:
    return [each["state"] for each in server.call("GET", "/v1/replicas")[1]["models"][0]["replicas"]]


def test_a_replica_is_drained_and_put_back(pair: Server, tmp_path: Path) -> None:
    browser = Browser(pair.url, tmp_path)
    try:
        browser.sign_in(pair.key, "/console/live")
        browser.until(lambda: states(pair) == ["ready", "ready"], "both replicas")
        browser.click(f'section[aria-label="Replicas of {CHAT}"] tbody tr:first-child .tools button', "Drain")
        browser.click("dialog footer button", "Drain")
        browser.find("tbody .badge", "drained")
        assert states(pair) == ["drained", "ready"]
        # The second is the last that takes calls.
        browser.click("tbody .tools button", "Drain")
        browser.says("the last one that takes calls")
        browser.click("dialog footer button", "Cancel")
        browser.click("tbody .tools button", "Put back")
        browser.until(lambda: not [each for each in browser.all("tbody .badge") if each.text == "drained"], "both")
        assert states(pair) == ["ready", "ready"]
    finally:
        browser.close()
