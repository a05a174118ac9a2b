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
    desk.click("button", "Fork after step 1")
    desk.until(lambda: run not in desk.path(), "the fork")
    desk.find(".run-step.asked", "refund")
    fork = office.call("GET", f"/v1/agents/runs/{desk.path().rpartition('/')[2]}")[1]
    assert fork["forked_from"] == run
    desk.click("button", "Cancel run")
    desk.click("dialog footer button", "Cancel run")
    desk.find("h1 .badge", "cancelled")
    desk.click("button", "Delete run")
    desk.click("dialog footer button", "Delete run")
    desk.until(lambda: desk.path() == "/console/runs", "the list")
    assert office.call("GET", f"/v1/agents/runs/{fork['id']}")[0] == 404


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


def test_an_agent_is_made_changed_restored_and_tried(office: Server, desk: Browser) -> None:
    desk.click("nav a", "Agents")
    desk.find(".card-link", "clerk")
    desk.click("button", "New agent")
    desk.find("dialog input").send_keys("no good name")
    desk.click("dialog button", "Make agent")
    # What is wrong is told at its field.
    desk.find("dialog .field .hint.bad", "cannot be an agent's name")
    desk.fill("dialog input", "greeter")
    desk.click("dialog button", "Make agent")
    desk.find("h1", "greeter")
    desk.find("h1 .badge", "version 1")
    fits(desk)
    desk.fill('section[aria-label="Definition"] textarea', "Greet.")
    desk.click("button", "Save version")
    desk.find("h1 .badge", "version 2")
    assert office.call("GET", "/v1/agents/greeter")[1]["definition"]["instruction"] == "Greet."
    desk.click(".choice button", "JSON")
    desk.fill('section[aria-label="Definition"] textarea', '{"name": "greeter",\n"limits": {\n"steps": 0}}')
    desk.click("button", "Save version")
    desk.find(".note.bad", "limits.steps")
    desk.find("button", "Show line 3")
    fits(desk)
    desk.click(".choice button", "Versions")
    fits(desk)
    desk.press("Restore version 1")
    desk.find("h1 .badge", "version 3")
    assert not office.call("GET", "/v1/agents/greeter")[1]["definition"].get("instruction")
    desk.click("button", "Delete")
    desk.click("dialog footer button", "Delete")
    desk.until(lambda: desk.path() == "/console/agents", "the list")
    assert office.call("GET", "/v1/agents/greeter")[0] == 404


def test_an_agent_is_edited_as_yaml_as_it_stands_in_a_configuration(office: Server, desk: Browser) -> None:
    place = 'section[aria-label="Definition"] textarea'
    parts = [{"name": "first", "instruction": "One."}, {"name": "second", "instruction": "Two."}]
    definition = {"name": "pair", "type": "sequential", "sub_agents": parts}
    assert office.call("POST", "/v1/agents", {"definition": definition})[0] == 201
    desk.open("/console/agents/pair")
    desk.find('section[aria-label="Definition"]', "changed as YAML or JSON")
    desk.click(".choice button", "YAML")
    assert "sub_agents:\n  - instruction: One.\n" in str(desk.find(place).get_attribute("value"))
    desk.fill(place, "name: pair\nsub_agents: [")
    desk.find(".field .hint.bad", "This is not YAML")
    assert not desk.find(".card > .stack > div button", "Save version").is_enabled()
    desk.fill(place, "name: pair\ntype: loop\nmax_iterations: 0\nsub_agents: [{name: first}]\n")
    desk.click("button", "Save version")
    desk.find(".note.bad", "max_iterations")
    fits(desk)
    desk.fill(place, "name: pair\ntype: loop\nmax_iterations: 3\nsub_agents:\n  - {name: first, instruction: Go on.}\n")
    desk.click("button", "Save version")
    desk.find("h1 .badge", "version 2")
    made = office.call("GET", "/v1/agents/pair")[1]["definition"]
    assert (made["type"], made["max_iterations"], made["sub_agents"][0]["instruction"]) == ("loop", 3, "Go on.")
    assert office.call("DELETE", "/v1/agents/pair")[0] == 200


def test_the_steps_of_an_agent_that_is_tried_are_shown_and_lead_to_its_run(office: Server, desk: Browser) -> None:
    desk.open("/console/agents/clerk")
    desk.find('section[aria-label="Definition"]', "It is written in Python")
    desk.click(".choice button", "Try it")
    desk.type('section[aria-label="Try it"] textarea', "Where is A-1042?")
    desk.click("button", "Ask")
    assert "shipped" in desk.find('pre[aria-label="Answer"]').text
    assert "look_up" in desk.find('ol[aria-label="Steps"]').text
    fits(desk)
    desk.click("a", "Open its run")
    desk.find("h1 .badge", "completed")
    desk.find(".run-step", "look_up")


def test_what_is_known_is_agreed_to_added_changed_and_forgotten(office: Server, desk: Browser) -> None:
    desk.open("/console/memory")
    desk.click("button", "Agree")
    desk.find('section[aria-label="Consent"] .badge', "agreed")
    for text in ("I live in Porto.", "I am allergic to walnuts."):
        desk.click(".page-head button", "Add")
        desk.type("dialog textarea", text)
        desk.click("dialog button", "Remember")
        desk.find('ul[aria-label="Facts"] li', text)
    desk.press("Change: I live in Porto.")
    desk.fill("dialog textarea", "I live in Lisbon.")
    desk.click("dialog button", "Save")
    desk.find('ul[aria-label="Facts"] li', "I live in Lisbon.")
    desk.press("History of: I live in Lisbon.")
    desk.find('ul[aria-label="Superseded"]', "I live in Porto.")
    desk.press("Close")
    desk.gone("dialog")
    fits(desk)
    desk.type("input[type=search]", "walnuts")
    desk.click("form button", "Show")
    assert "walnuts" in desk.find('ul[aria-label="Facts"] li', "score").text
    desk.press("Forget: I am allergic to walnuts.")
    desk.click("dialog footer button", "Forget")
    desk.until(
        lambda: [each["text"] for each in office.call("GET", "/v1/memories")[1]["data"]] == ["I live in Lisbon."],
        "the end of a fact",
    )
    desk.click("button", "Take consent back")
    desk.click("dialog footer button", "Take back and forget")
    desk.find('section[aria-label="Consent"] .badge', "refused")
    assert office.call("GET", "/v1/memories")[1]["data"] == []
