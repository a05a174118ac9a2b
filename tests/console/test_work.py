"""Traces, knowledge, costs, what happens now, and settings, as a person works with them."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.cli.command import data
from tests.conftest import Server
from tests.console.browser import Browser
from tests.console.test_chat import COMPOSER, QUESTION, ask
from tests.http.test_access import CHAT, run

FACT = "The Halcyon bearing is oiled every 417 hours."


@pytest.fixture
def admin(browser: Browser, server: Server) -> Browser:
    browser.sign_in(server.key)
    browser.find(COMPOSER)
    return browser


def test_a_trace_is_found_by_its_filters_and_shown_step_by_step(admin: Browser, server: Server) -> None:
    server.call("POST", "/v1/chat/completions", {"model": "document-qa", "messages": [], "options": {}})
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 4}
    trace = server.raw("POST", "/v1/chat/completions", body)[1]["x-trace-id"]
    admin.until(lambda: server.call("GET", f"/v1/traces/{trace}")[0] == 200, "the trace")
    admin.click("nav a", "Traces")
    admin.find(".table tbody tr")
    admin.click(".filters .check", "Failed only")
    admin.until(lambda: "status=error" in admin.path(), "the filter")
    admin.until(lambda: not admin.all(".spinner") and not admin.all(".table .badge.good"), "failed traces only")
    admin.click(".filters .check", "Failed only")
    admin.open(f"/console/traces?model={CHAT}")
    admin.click(".table tbody a")
    admin.click(".span-row", f"chat {CHAT}")
    facts = admin.find(".step-facts").text
    assert "gen_ai.usage.output_tokens" in facts
    assert "4" in facts
    # The browser's own way back.
    admin.driver.back()
    admin.find(".table tbody tr")
    # By its id, whoever gave it.
    admin.type('input[aria-label="Trace id"]', trace + Keys.ENTER)
    admin.find("p.mono", trace)


def test_a_trace_that_is_not_there_is_said_so(admin: Browser) -> None:
    admin.open("/console/traces/" + "0" * 32)
    admin.says("has no spans")


def test_a_document_goes_into_a_collection_and_is_found_cited_and_removed(
    admin: Browser, server: Server, tmp_path: Path
) -> None:
    name = f"manuals-{uuid.uuid4().hex[:6]}"
    file = tmp_path / "halcyon.md"
    file.write_text(f"# Halcyon\n\n## Bearings\n\n{FACT}\n\n## Case\n\nThe case is brass.\n", encoding="utf-8")
    admin.click("nav a", "Knowledge")
    admin.click("button", "New collection")
    admin.type("dialog input", name)
    admin.click("dialog button", "Create")
    admin.find("h1", name)
    admin.run("document.querySelector('input[type=file]').hidden = false")
    admin.find("input[type=file]").send_keys(str(file))
    admin.find(".uploads li", "uploaded")
    admin.find(".table .badge", "ready")
    admin.click(".table a", "halcyon.md")
    admin.find(".chunk", FACT)
    admin.click(".chunk button", "In the document")
    admin.find("dialog mark")
    admin.keys(Keys.ESCAPE)
    admin.gone("dialog")
    admin.click(".back", "Documents")
    admin.click(".choice button", "Search")
    admin.type('input[aria-label="Query"]', "How often is the bearing oiled?" + Keys.ENTER)
    hit = admin.find(".hit", "417").text
    assert "Dense" in hit
    assert "Sparse" in hit
    assert "Fused" in hit
    assert "Reranked" in hit
    # What was found can be asked: the new collection is a model.
    admin.click("nav a", "Chat")
    admin.find(COMPOSER)
    ask(admin, "How often is the Halcyon bearing oiled?", name)
    assert "417" in admin.find(".turn.answer .prose").text
    admin.click("nav a", "Knowledge")
    admin.click(".card-link", name)
    admin.press("Delete the collection")
    admin.click("dialog button", "Delete the collection")
    admin.until(lambda: admin.path() == "/console/knowledge", "the list")
    assert name not in json.dumps(server.call("GET", "/v1/models")[1])


def test_who_may_only_read_is_offered_nothing_that_changes(browser: Browser, server: Server) -> None:
    reader = data(run(server, "keys", "create", "console reader", "--scope", "chat", "--json"))["secret"]
    browser.sign_in(reader, "/console/knowledge")
    browser.says("needs the scope ingest")
    browser.click(".card-link", "handbook")
    browser.find(".table tbody tr")
    assert not browser.all("input[type=file], .drop, button[aria-label^='Remove'], button[aria-label^='Delete']")


def test_costs_of_all_tenants_are_for_keys_that_may_see_them(browser: Browser, server: Server) -> None:
    tenant = f"t-{uuid.uuid4().hex[:8]}"
    theirs = data(run(server, "keys", "create", "theirs", "--tenant", tenant, "--scope", "admin", "--json"))
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
    assert server.call("POST", "/v1/chat/completions", body, key=theirs["secret"])[0] == 200
    browser.sign_in(server.key, "/console/costs")
    browser.click("button", "All tenants")
    table = browser.find('section[aria-label="By tenant"]').text
    assert tenant in table
    assert "default (this one)" in table
    assert not browser.all('section[aria-label="By key"], section[aria-label="By application"]')
    # Whoever administers one tenant is not offered it.
    browser.sign_in(theirs["secret"], "/console/costs")
    browser.find(".bars")
    assert "first admin" not in browser.text()
    assert not browser.all('[aria-label="Whose"]')


def test_costs_are_those_of_the_ledger(admin: Browser, server: Server) -> None:
    ask(admin, QUESTION)
    lines = server.call("GET", "/v1/costs?by=model")[1]["data"]
    admin.click("nav a", "Costs")
    admin.find(".bars")
    by_model = admin.find('section[aria-label="By model"]').text
    for line in lines:
        assert line["model"] in by_model
    assert "first admin" in admin.find('section[aria-label="By key"]').text
    admin.click("button", "New budget")
    admin.type("dialog input[type=number]", "12.5")
    admin.type("dialog input", "Half a year")
    admin.click("dialog button", "Create")
    admin.find(".card h3", "Half a year")
    made = server.call("GET", "/v1/budgets")[1]["data"]
    (budget,) = (each for each in made if each["name"] == "Half a year")
    assert budget["limit_usd"] == 12.5
    admin.press("Delete the budget Half a year")
    admin.click("dialog button", "Delete")
    admin.until(lambda: not [each for each in admin.all(".card h3") if "Half a year" in each.text], "its end")
    assert budget["id"] not in json.dumps(server.call("GET", "/v1/budgets")[1])


def test_what_happens_now_is_seen(admin: Browser) -> None:
    admin.click("nav a", "Live")
    admin.find('section[aria-label="Engines"] .badge.good', "up")
    admin.find('section[aria-label="Route helper"]')
    admin.run(
        """fetch('/v1/chat/completions', {method: 'POST', headers: {'content-type': 'application/json',
        authorization: 'Bearer ' + sessionStorage['mainspring.key']}, body: JSON.stringify({model: arguments[0],
        max_tokens: 200, messages: [{role: 'user', content: 'Tell me a story.'}]})})""",
        CHAT,
    )

    def written() -> bool:
        value = admin.find('section[aria-label="Output tokens per second"] .chart-value').text
        return value not in ("–", "0.0", "0")

    admin.until(written, "tokens")
    admin.click("button", "Pause")
    admin.find("button", "Resume")


def test_what_guards_decided_and_people_said_is_seen_with_its_traces(admin: Browser, server: Server) -> None:
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Write to jane.doe@example.com."}], "max_tokens": 4}
    headers = server.raw("POST", "/v1/chat/completions", body)[1]
    trace, answer = headers["x-trace-id"], headers["x-answer-id"]
    comment = f"Wrong, {uuid.uuid4().hex[:6]}."
    server.call("POST", "/v1/feedback", {"answer_id": answer, "rating": "down", "comment": comment})
    admin.click("nav a", "Quality & safety")
    admin.click(".tabs a", "Guards")
    admin.find('section[aria-label="By kind"]', "email")
    admin.find('section[aria-label="Latest decisions"] .badge', "redact")
    links = admin.run("return [...document.querySelectorAll('.table a')].map(link => link.getAttribute('href'))")
    assert f"/console/traces/{trace}" in links
    admin.click(".tabs a", "Feedback")
    assert "bad" in admin.find(".said-card", comment).text
    admin.click(".choice button", "Thumbs down")
    admin.click(f'.said-card a[href$="{trace}"]')
    admin.find(".span-row", "request")


def test_a_key_is_made_shown_once_and_revoked(admin: Browser, server: Server) -> None:
    name = f"console-{uuid.uuid4().hex[:6]}"
    admin.click("nav a", "Settings")
    admin.click("button", "New key")
    admin.type("dialog input", name)
    admin.click("dialog button", "Create key")
    secret = admin.find("dialog .secret code").text
    assert server.call("GET", "/v1/models", key=secret)[0] == 200
    admin.click("dialog button", "Done")
    admin.find(".table td", name)
    assert secret not in admin.run("return document.documentElement.innerHTML")
    admin.press(f"Revoke {name}")
    admin.click("dialog button", "Revoke")
    admin.until(lambda: not [each for each in admin.all(".table td") if name in each.text], "its end")
    assert server.call("GET", "/v1/models", key=secret)[0] == 401
    admin.click(".tabs a", "Limits")
    admin.says("100,000,000")
    admin.click(".tabs a", "Models")
    admin.find(".table td", CHAT)


def test_a_key_that_is_revoked_meanwhile_ends_the_session(browser: Browser, server: Server) -> None:
    made = server.call("POST", "/v1/keys", {"name": "leaving", "scopes": ["chat"]})[1]
    browser.sign_in(made["secret"])
    browser.find(COMPOSER)
    server.call("DELETE", f"/v1/keys/{made['id']}")
    browser.click("nav a", "Knowledge")
    browser.says("You were signed out")
    browser.says("was revoked")
