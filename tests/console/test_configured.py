"""A server that is set up otherwise: two engines behind one model, a router to a large model that has a price, and
answers that are judged."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.command import data
from tests.conftest import Server, start_server, stop_server
from tests.console.browser import Browser
from tests.http.test_access import CHAT, run

# The large model is compared with and never asked: nothing is at its address.
SETTINGS = {
    "models": {
        "replicas": {CHAT: 2},
        "remote": {"large": {"url": "http://127.0.0.1:9/v1", "model": "large", "price_input": 2.5, "price_output": 10}},
    },
    "engines": {"kv_tokens": 16_384},
    "prices": {"models": {CHAT: {"input": 0.05, "output": 0.2}}},
    "telemetry": {"store_prompts": True},
    "monitor": {"every_s": 1, "judging": {"share": 1.0}},
    "serving": {
        "auto": {"small": CHAT, "large": "large", "policy": "rules"},
        "tiers": {"silver": {"requests_per_minute": 60}, "gold": {"requests_per_minute": 600}},
    },
}


@pytest.fixture(scope="module")
def configured(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, and the browser of all tests at it."""
    home = tmp_path_factory.mktemp("configured")
    config = home / "mainspring.yaml"
    config.write_text(json.dumps(SETTINGS), encoding="utf-8")
    running = start_server(home / "home", MAINSPRING_CONFIG=str(config))
    usual, chromium.url = chromium.url, running.url
    yield running
    chromium.url = usual
    stop_server(running)


def states(server: Server) -> list[str]:
    models = server.call("GET", "/v1/replicas")[1]["models"]
    return [each["state"] for model in models if model["model"] == CHAT for each in model["replicas"]]


def test_a_replica_is_drained_and_put_back(configured: Server, browser: Browser) -> None:
    browser.sign_in(configured.key, "/console/live")
    browser.until(lambda: states(configured) == ["ready", "ready"], "both replicas")
    replicas = f'section[aria-label="Replicas of {CHAT}"] tbody'
    browser.click(f"{replicas} tr:first-child .tools button", "Drain")
    browser.click("dialog footer button", "Drain")
    browser.find(f"{replicas} .badge", "drained")
    assert states(configured) == ["drained", "ready"]
    # The second is the last that takes calls.
    browser.click(f"{replicas} .tools button", "Drain")
    browser.says("the last one that takes calls")
    browser.click("dialog footer button", "Cancel")
    browser.click(f"{replicas} .tools button", "Put back")
    browser.until(lambda: not [each for each in browser.all(f"{replicas} .badge") if each.text == "drained"], "both")
    assert states(configured) == ["ready", "ready"]


def test_what_routing_saved_stands_beside_what_caches_saved(configured: Server, browser: Browser) -> None:
    browser.sign_in(configured.key, "/console/costs")
    browser.find("h1", "Costs")
    body = {"model": "auto", "messages": [{"role": "user", "content": "Say a word."}], "max_tokens": 4}
    usage = configured.call("POST", "/v1/chat/completions", body)[1]["usage"]
    (line,) = configured.call("GET", "/v1/costs?application=auto")[1]["data"]
    # A US dollar a million tokens is a thousand nano-US-dollars a token.
    saved = (2500 - 50) * usage["prompt_tokens"] + (10_000 - 200) * usage["completion_tokens"]
    assert (line["routed_answers"], line["routing_unknown_answers"]) == (1, 0)
    assert line["routing_saved_nanousd"] == saved > 0
    browser.driver.refresh()
    figure = browser.find(".figures > div", "Saved by routing").text
    assert "1 answer of auto, against its large model" in figure
    shown = float(figure.splitlines()[1].removeprefix("$"))
    assert shown == pytest.approx(saved / 1e9, rel=0.01)
    assert figure.splitlines()[1] in browser.find('section[aria-label="By application"] tr', "auto").text


def test_a_trace_shows_what_a_model_was_sent_and_what_each_step_cost(configured: Server, browser: Browser) -> None:
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Say a word of your own."}], "max_tokens": 4}
    _, headers, content = configured.raw("POST", "/v1/chat/completions", body)
    trace, usage = headers["x-trace-id"], json.loads(content)["usage"]
    browser.until(lambda: configured.call("GET", f"/v1/traces/{trace}")[0] == 200, "the trace")
    browser.sign_in(configured.key, f"/console/traces/{trace}")
    tokens, cost = browser.find(".span-row", f"chat {CHAT}").text.split()[-2:]
    assert int(tokens) == usage["total_tokens"]
    assert float(cost.removeprefix("$")) == pytest.approx(usage["cost_usd"], rel=0.01)
    browser.click(".choice button", "Prompt")
    browser.find('section[aria-label="As assembled"]', "Say a word of your own.")


def test_what_judged_answers_score_is_shown(configured: Server, browser: Browser) -> None:
    asked = {"model": CHAT, "messages": [{"role": "user", "content": "What is bread made of?"}], "max_tokens": 12}
    assert configured.call("POST", "/v1/chat/completions", asked)[0] == 200

    def judged() -> str | None:
        for trace in configured.call("GET", "/v1/traces?operation=chat")[1]["data"]:
            if configured.call("GET", f"/v1/traces/{trace['id']}")[1]["verdicts"]:
                return str(trace["id"])
        return None

    browser.sign_in(configured.key, f"/console/traces/{browser.until(judged, 'a verdict')}")
    said = browser.find('section[aria-label="Verdict on the answer"]').text
    assert "Answer fits the question, without passages" in said
    assert "Judged by all-minilm-l6-v2" in said
    browser.open("/console/quality/overview")
    browser.find('section[aria-label="Judged answers"] tbody tr', "Answer fits the question, without passages")


def test_a_key_is_made_with_groups_a_tier_and_a_budget(configured: Server, browser: Browser) -> None:
    groups = ("--group", "red", "--group", "blue")
    made = run(configured, "keys", "create", "both", "--scope", "admin", "--scope", "operate", *groups, "--json")
    browser.sign_in(data(made)["secret"], "/console/settings")
    browser.click("button", "New key")
    browser.type("dialog input", "of red and gold")
    assert sorted(browser.texts("dialog .checks label")) == ["blue", "red"]
    browser.click("dialog .checks label", "red")
    for label, value in (("Tier", "gold"), ("Budget in US dollars a month", "2.5")):
        field = browser.find("dialog label", label).get_attribute("for")
        browser.type(f"dialog [id='{field}']", value)
    assert browser.texts("dialog select option") == ["none", "silver", "gold"]
    browser.click("dialog button", "Create key")
    browser.find("dialog code")
    browser.click("dialog button", "Done")
    row = browser.find(".table tbody tr", "of red and gold").text
    assert "red" in row
    assert "blue" not in row
    assert "tier gold" in row
    (key,) = [each for each in configured.call("GET", "/v1/keys")[1]["data"] if each["name"] == "of red and gold"]
    assert (key["groups"], key["tier"]) == (["red"], "gold")
    (budget,) = [each for each in configured.call("GET", "/v1/budgets")[1]["data"] if each["subject"] == key["id"]]
    assert (budget["window"], budget["hard"], float(budget["limit_usd"])) == ("month", True, 2.5)
