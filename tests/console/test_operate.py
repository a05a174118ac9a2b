"""Prompts, alerts, objectives, policies, the audit log and approvals, as a person works with them."""

from __future__ import annotations

import json
import uuid

import pytest
from selenium.webdriver.common.keys import Keys

from tests.cli.command import data
from tests.conftest import Server
from tests.console.browser import Browser
from tests.console.test_chat import COMPOSER, QUESTION, ask
from tests.http.test_access import CHAT, run


@pytest.fixture
def admin(browser: Browser, server: Server) -> Browser:
    browser.sign_in(server.key)
    browser.find(COMPOSER)
    return browser


def test_a_prompt_gets_versions_and_a_label_that_moves_and_comes_back(admin: Browser, server: Server) -> None:
    name = f"greeting-{uuid.uuid4().hex[:6]}"
    admin.click("nav a", "Prompts")
    admin.click("button", "New prompt")
    admin.type("dialog input", name)
    admin.type("dialog textarea", "Greet {{ customer }}.")
    admin.click("dialog button", "Save version")
    admin.find("h1", name)
    admin.find(".prompt-text", "Greet {{ customer }}.")
    admin.click("button", "New label")
    admin.click("dialog button", "Create")
    admin.find(".table .badge", "production")
    # It has not moved yet: there is nothing to go back to.
    assert [each.text for each in admin.all(".table button")] == ["Move"]
    admin.click("button", "New version")
    admin.fill("dialog textarea", "Greet {{ customer }} warmly.")
    admin.click("dialog button", "Save version")
    admin.find(".prompt-text", "warmly")
    admin.click(".table button", "Move")
    admin.click("dialog button", "Move")
    admin.until(lambda: _label(server, name) == 2, "the move")
    admin.click(".table button", "Roll back")
    admin.click("dialog button", "Roll back")
    admin.until(lambda: _label(server, name) == 1, "the way back")
    admin.run(
        """const select = [...document.querySelectorAll('.section-head select')].at(-1);
        Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(select, '1');
        select.dispatchEvent(new Event('change', {bubbles: true}))"""
    )
    assert "warmly" in admin.find(".diff .added").text


def _label(server: Server, name: str) -> int:
    found = server.call("GET", f"/v1/prompts/{name}")[1]["labels"]["production"]["version"]
    return int(found)


def test_a_silence_is_made_and_ended(admin: Browser, server: Server) -> None:
    why = f"moving house {uuid.uuid4().hex[:6]}"
    admin.open("/console/quality/alerts")
    admin.click("button", "New silence")
    admin.fill("dialog input", "latency")
    admin.run("[...document.querySelectorAll('dialog input')].at(-1).focus()")
    admin.keys(why)
    admin.click("dialog footer button", "Silence")
    admin.find("section[aria-label=Silences] td", why)
    (made,) = (each for each in server.call("GET", "/v1/silences")[1]["data"] if each["comment"] == why)
    assert made["rule"] == "latency"
    admin.click("section[aria-label=Silences] button", "End")
    admin.until(lambda: why not in json.dumps(server.call("GET", "/v1/silences")[1]), "its end")


def test_outcomes_and_objectives_are_those_of_the_server(admin: Browser, server: Server) -> None:
    ask(admin, QUESTION)
    counted = "/v1/quality?application=handbook"
    admin.until(lambda: server.call("GET", counted)[1]["total"]["ok"] > 0, "the counts")
    admin.open("/console/quality")
    answered = admin.find(".figures > div", "Answered").text
    assert "%" in answered
    admin.click(".tabs a", "Objectives")
    (slo, *_) = server.call("GET", "/v1/slos?application=handbook")[1]["data"]
    card = admin.find("article", "handbook").text
    assert f"{slo['target']:.1%}".replace("%", " %") in card
    assert "Error budget left" in card
    admin.click(".tabs a", "Drift")
    admin.find('section[aria-label="Drift of handbook"]')


def test_what_was_done_is_in_the_audit_log_and_the_log_is_whole(admin: Browser, server: Server) -> None:
    name = f"audited {uuid.uuid4().hex[:6]}"
    made = server.call("POST", "/v1/keys", {"name": name, "scopes": ["chat"]})[1]
    admin.click("nav a", "Settings")
    admin.click(".tabs a", "Audit log")
    row = admin.find("tbody tr", name)
    assert "key.created" in row.text
    assert "first admin" in row.text
    admin.click("button", "Verify")
    admin.find(".note.good", "The log is whole")
    admin.click("tbody .plain-link", "key.created")
    admin.find("p.row .badge", "key.created")
    server.call("DELETE", f"/v1/keys/{made['id']}")


def test_the_policies_in_force_are_shown(admin: Browser, server: Server) -> None:
    policies = server.call("GET", "/v1/policies")[1]["data"]
    admin.open("/console/settings/policies")
    for policy in policies:
        assert policy["version"] in admin.find(f'section[aria-label="Policy {policy["name"]}"]').text


def test_a_trace_shows_what_was_asked_and_answered(admin: Browser, server: Server) -> None:
    body = {"model": "handbook", "messages": [{"role": "user", "content": QUESTION}]}
    trace = server.raw("POST", "/v1/chat/completions", body)[1]["x-trace-id"]
    admin.open(f"/console/traces/{trace}/prompt")
    admin.find(".prompt-text", QUESTION)
    (first, *_) = server.call("GET", f"/v1/traces/{trace}/found")[1]["data"]
    admin.find(".found-place .beginning")
    table = admin.find('[aria-label="What was found"]').text
    # The last word of its beginning, before the dots.
    for said in (first["filename"], first["heading"], first["id"], first["beginning"].split()[-2]):
        assert said in table
    admin.click(".found-place .text-button", first["filename"])
    admin.find("dialog mark")
    admin.keys(Keys.ESCAPE)
    admin.gone("dialog")
    admin.click(".sources button")
    admin.find("dialog mark")


def test_a_request_is_asked_again_of_another_model_side_by_side(admin: Browser, server: Server) -> None:
    body = {"model": CHAT, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 12}
    trace = server.raw("POST", "/v1/chat/completions", body)[1]["x-trace-id"]
    admin.open(f"/console/traces/{trace}")
    admin.click("button", "Replay")
    admin.until(
        lambda: admin.run(
            """const select = document.querySelector('dialog select');
            if (![...select.options].some(option => option.value === 'handbook')) return false;
            Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(select, 'handbook');
            select.dispatchEvent(new Event('change', {bubbles: true})); return true"""
        ),
        "the models",
    )
    admin.click("dialog footer button", "Replay")
    assert CHAT in admin.find('section[aria-label="As it was"]').text
    assert "handbook" in admin.find('section[aria-label="Replayed"]').text
    replay = server.call("GET", f"/v1/replays/{admin.path().rpartition('/')[2]}")[1]
    assert admin.find('section[aria-label="Replayed"] .replay-text').text == replay["replay"]["text"].strip()


def test_pages_are_reached_by_keys(admin: Browser) -> None:
    admin.run("document.activeElement.blur()")
    admin.keys("g", "t")
    admin.find("h1", "Traces")
    admin.keys("?")
    admin.find("dialog h2", "Keyboard")
    admin.keys(Keys.ESCAPE)
    admin.gone("dialog")


def test_who_approves_sees_that_page_alone(browser: Browser, server: Server) -> None:
    secret = data(run(server, "keys", "create", "console approver", "--scope", "approve", "--json"))["secret"]
    browser.sign_in(secret)
    browser.find("h1", "Approvals")
    browser.says("Nothing waits for you")
    assert len(browser.all("nav a.lacking")) == len(browser.all("nav a")) - 1
    browser.click("nav a", "Chat")
    browser.says("This key cannot open Chat")


def test_a_model_that_is_asked_under_no_policy_says_nothing_of_it(admin: Browser, server: Server) -> None:
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 2}
    trace = server.raw("POST", "/v1/chat/completions", body)[1]["x-trace-id"]
    admin.open(f"/console/traces/{trace}/prompt")
    admin.find(".answered .badge", "answer")
    assert not admin.all('[aria-label="What was found"]')
