"""Agents, their runs and memories, as a person works with them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest

from mainspring.engines.scripted import ScriptedEngine
from tests.conformance.openai_server import serve
from tests.conftest import Server, start_server, stop_server
from tests.console import browser as browsers
from tests.console.browser import Browser
from tests.console.clerk import script

pytestmark = pytest.mark.slow
WINDOWS = ((1440, 900), (390, 844))


@pytest.fixture(scope="module")
def rules() -> Iterator[str]:
    """The address of a model that answers by rules."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = serve(ScriptedEngine(script, name="rules", templates=True))
    asyncio.run_coroutine_threadsafe(made.start_server(), loop).result(30)
    yield str(made.make_url("/v1"))
    asyncio.run_coroutine_threadsafe(made.close(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)


@pytest.fixture(scope="module")
def office(rules: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the clerk."""
    if browsers.PROGRAM is None or browsers.DRIVER is None:
        pytest.skip(browsers.MISSING)
    remote = {"rules": {"url": rules, "model": "rules", "price_input": 1, "price_output": 2}}
    running = start_server(
        tmp_path_factory.mktemp("office") / "home",
        MAINSPRING_MODELS__CHAT="[]",
        MAINSPRING_MODELS__REMOTE=json.dumps(remote),
        MAINSPRING_AGENTS__MODULES='["tests.console.clerk:clerk"]',
        MAINSPRING_AGENTS__MODEL="rules",
    )
    yield running
    stop_server(running)


@pytest.fixture(scope="module")
def desk(office: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser at that server, signed in as its admin."""
    made = Browser(office.url, tmp_path_factory.mktemp("desk"))
    made.look()
    made.sign_in(office.key)
    yield made
    made.close()


def begun(office: Server, question: str) -> str:
    status, run = office.call("POST", "/v1/agents/runs", {"agent": "clerk", "input": question})
    assert status == 200, run
    return str(run["id"])


def fits(desk: Browser) -> None:
    """The page is no wider than any window, and complains of nothing."""
    for theme in ("light", "dark"):
        for width, height in WINDOWS:
            desk.look(theme, width, height)
            assert desk.overflow() <= 0, (theme, width)
    desk.look()
    assert desk.complaints() == []


def test_a_call_is_approved_where_its_run_waits_and_the_run_goes_on_before_ones_eyes(
    office: Server, desk: Browser
) -> None:
    run = begun(office, "I want my money back.")
    desk.open("/console/runs?status=waiting")
    desk.find("tbody tr", "refund").use(lambda row: row.find_element("css selector", "a").click())
    step = desk.find(".run-step.asked", "refund")
    assert "amount: 12.5" in step.text
    fits(desk)
    desk.click(".run-step.asked button", "Approve")
    desk.click("dialog button", "Approve")
    desk.find("h1 .badge", "completed")
    assert "12.5 paid back for A-1042" in desk.find('[aria-label="Answer of the agent"]').text
    desk.click("button", "Replay")
    desk.find("dialog .note.good", "Identical")
    desk.click("dialog footer button", "Close")
    steps = office.call("GET", f"/v1/agents/runs/{run}/steps")[1]["data"]
    assert desk.texts("ol.timeline h3") == [each["name"] for each in steps]
    desk.press("Fork after step 1")
    desk.until(lambda: run not in desk.path(), "the fork")
    desk.find(".run-step.asked", "refund")
    fork = office.call("GET", f"/v1/agents/runs/{desk.path().rpartition('/')[2]}")[1]
    assert fork["forked_from"] == run
    desk.click("button", "Cancel run")
    desk.click("dialog footer button", "Cancel run")
    desk.find("h1 .badge", "cancelled")


def test_a_person_says_what_became_of_an_effect(office: Server, desk: Browser) -> None:
    run = begun(office, "Write a letter.")
    desk.open(f"/console/runs/{run}")
    assert "Dear Ada" in desk.find(".run-step.unknown", "send_letter").text
    fits(desk)
    desk.click("button", "Pause")
    desk.find("h1 .badge", "paused")
    desk.click("button", "Resume")
    desk.find(".toast", "waits for a person")
    desk.click(".run-step.unknown button", "Decide")
    desk.type("dialog textarea", "It lies in the box.")
    desk.click("dialog footer button", "Go on")
    desk.find("h1 .badge", "completed")
    assert "It lies in the box." in desk.find('[aria-label="Answer of the agent"]').text
