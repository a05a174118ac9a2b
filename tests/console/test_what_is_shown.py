"""What pages say, word for word: counts, abstentions, changed thumbs, filters of traces, limits of a key."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.cli.command import data
from tests.conftest import Server
from tests.console.browser import Browser, steady
from tests.console.test_chat import QUESTION, ask
from tests.http.test_access import CHAT, run


def tenant_of_its_own(server: Server) -> str:
    """The secret of an administrator of a tenant that nobody else is in."""
    made = run(server, "keys", "create", "head", "--tenant", f"t-{uuid.uuid4().hex[:8]}", "--scope", "admin", "--json")
    return str(data(made)["secret"])


def answered(server: Server, key: str, text: str, **more: object) -> tuple[str, str]:
    """(trace, answer) of a short chat."""
    body = {"model": CHAT, "messages": [{"role": "user", "content": text}], "max_tokens": 4, **more}
    status, headers, _ = server.raw("POST", "/v1/chat/completions", body, key=key)
    assert status == 200
    return headers["x-trace-id"], headers["x-answer-id"]


def figures(browser: Browser) -> dict[str, str]:
    """What the row of large figures says, by title."""
    return steady(
        lambda: {
            row.find_element("css selector", "dt").text: row.find_element("css selector", "dd").text
            for row in browser.all("dl.figures.large > div")
        }
    )


def test_a_thumb_that_was_changed_counts_once_and_as_what_it_is_now(browser: Browser, server: Server) -> None:
    key = tenant_of_its_own(server)
    _, answer = answered(server, key, "Hi.")
    for rating in ("up", "down"):
        assert server.call("POST", "/v1/feedback", {"answer_id": answer, "rating": rating}, key=key)[0] < 300
    _, other = answered(server, key, "Ho.")
    assert server.call("POST", "/v1/feedback", {"answer_id": other, "rating": "up"}, key=key)[0] < 300
    browser.sign_in(key, "/console/quality/feedback")
    browser.find(".said-card")
    told = figures(browser)
    assert "1 of 2 ratings" in told["Thumbs up"]
    assert told["Thumbs down"].split()[0] == "1"
    assert sorted(text.split()[0] for text in browser.texts(".said-card")) == ["bad", "good"]


def test_an_abstention_is_no_answer_wherever_it_is_counted(browser: Browser, server: Server) -> None:
    question = f"How many moons has the planet {uuid.uuid4().hex[:6]}?"
    browser.sign_in(server.key)
    ask(browser, question)
    turn = browser.find(".turn.answer")
    assert "not in the documents" in turn.text
    assert "verbatim" not in turn.text
    browser.open("/console/traces?answered=false&q=moons")
    row = browser.find(".table tbody tr", question)
    assert "not in the documents" in row.text
    row.use(lambda line: line.find_element("css selector", "a").click())
    browser.find(".badge", "not in the documents")

    def counted() -> dict[str, str]:
        # The monitor counts a moment after the answer, and the page shows what was counted when it was opened.
        browser.open("/console/quality/overview")
        browser.until(lambda: browser.all(".stacked") or "There were no requests" in browser.text(), "the overview")
        told = figures(browser)
        return told if told and of_requests(told["Not in the documents"])[0] else {}

    told = browser.until(counted, "the abstention")
    # Of what ended, abstentions are a part of their own, and no part of what was answered.
    (fine, ended), (abstained, of) = (of_requests(told[name]) for name in ("Answered", "Not in the documents"))
    assert abstained >= 1
    assert of == ended
    assert fine + abstained <= ended


def of_requests(text: str) -> tuple[int, int]:
    """The two numbers of "12 of 1,345 requests"."""
    words = text.replace(",", "").split("\n")[-1].split()
    return int(words[0]), int(words[2])


def test_a_collection_says_how_many_documents_it_has(browser: Browser, server: Server) -> None:
    found = server.call("GET", "/v1/vector_stores?limit=100")[1]["data"]
    handbook = next(each for each in found if each["name"] == "handbook")
    count = handbook["file_counts"]["total"]
    assert count > 5
    browser.sign_in(server.key, "/console/knowledge")
    assert f"{count} documents" in browser.find(".card-link", "handbook").text
    browser.click(".card-link", "handbook")
    browser.find(".table tbody tr")
    assert f"{count} documents" in browser.text()


def test_traces_are_found_by_words_key_and_session(browser: Browser, server: Server) -> None:
    key = tenant_of_its_own(server)
    word, session = f"zephyr{uuid.uuid4().hex[:6]}", f"s-{uuid.uuid4().hex[:6]}"
    in_session, _ = answered(server, key, f"Say {word}.", session_id=session)
    answered(server, key, "Say something else.")
    other = server.call("POST", "/v1/keys", {"name": "second", "scopes": ["chat"]}, key=key)[1]
    by_other, _ = answered(server, other["secret"], "Say it by another key.")

    def there() -> bool:
        return all(server.call("GET", f"/v1/traces/{each}", key=key)[0] == 200 for each in (in_session, by_other))

    browser.until(there, "the traces")
    browser.sign_in(key, "/console/traces")
    browser.until(lambda: len(browser.all(".table tbody tr")) == 3, "all three")
    for query, wanted in (
        (f"q={word}", f"Say {word}."),
        (f"session_id={session}", f"Say {word}."),
        (f"key_id={other['id']}", "Say it by another key."),
    ):
        browser.open(f"/console/traces?{query}")
        browser.until(lambda: len(browser.all(".table tbody tr")) == 1, f"one trace of {query}")
        assert wanted in browser.find(".table tbody tr").text
    browser.open("/console/traces?until=978307200")
    browser.until(lambda: not browser.all(".spinner") and not browser.all(".table tbody tr"), "none that old")


def test_a_key_is_made_with_its_limits_and_its_budget(browser: Browser, server: Server) -> None:
    name = f"limited-{uuid.uuid4().hex[:6]}"
    browser.sign_in(server.key, "/console/settings")
    browser.click("button", "New key")
    # Who is in no group is told why none can be given.
    assert "your key is in no group" in browser.find("dialog").text
    browser.type("dialog input", name)
    for label, value in (("Models", CHAT), ("Budget in US dollars a month", "2.5"), ("Expires after days", "3")):
        field = browser.find("dialog label", label).get_attribute("for")
        browser.type(f"dialog [id='{field}']", value)
    browser.click("dialog button", "Create key")
    browser.find("dialog code")
    browser.click("dialog button", "Done")
    row = browser.find(".table tbody tr", name).text
    assert CHAT in row
    assert "chat, embed" in row
    made = next(each for each in server.call("GET", "/v1/keys")[1]["data"] if each["name"] == name)
    assert made["expires_at"] is not None
    budgets = [each for each in server.call("GET", "/v1/budgets")[1]["data"] if each["subject"] == made["id"]]
    assert [(each["window"], each["hard"], float(each["limit_usd"])) for each in budgets] == [("month", True, 2.5)]
    browser.open("/console/costs")
    browser.says(name)


def test_what_a_tenant_may_have_is_shown_beside_what_it_has(browser: Browser, server: Server) -> None:
    key = tenant_of_its_own(server)
    for number in range(3):
        assert server.call("POST", "/v1/vector_stores", {"name": f"shelf {number}"}, key=key)[0] < 300
    quotas = {each["name"]: each for each in server.call("GET", "/v1/limits/tenant", key=key)[1]["data"]}
    stores = quotas["vector_stores"]
    assert stores["used"] == 3
    browser.sign_in(key, "/console/settings/limits")
    row = browser.find('[aria-label="Limits of the tenant"] tbody tr', stores["what"]).text
    assert " 3 " in f" {row.replace(stores['what'], '')} "
    assert f"{stores['limit']:,}" in row.replace("\u202f", ",").replace("\u00a0", ",")
    assert len(browser.all('[aria-label="Limits of the tenant"] tbody tr')) == len(quotas)


@pytest.mark.parametrize("text", ["## A heading", "- one\n- two", "**bold**"])
def test_what_was_answered_is_shown_and_not_its_markup(browser: Browser, server: Server, text: str) -> None:
    key = tenant_of_its_own(server)
    _, answer = answered(server, key, "Hi.")
    given = {"answer_id": answer, "edit": text}
    status, said = server.call("POST", "/v1/feedback", given, key=key)
    assert status < 300, said
    browser.sign_in(key, "/console/quality/feedback")
    shown = browser.find(".said-card .prose.said").text
    assert shown
    assert not {"#", "*"} & set(shown)


def test_a_cited_passage_shows_headings_and_not_their_marks(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    ask(browser, QUESTION)
    browser.click(".cite", "1")
    browser.find("dialog mark")
    shown = str(browser.find("dialog .document-text").get_attribute("textContent"))
    headings = browser.texts("dialog .document-text strong")
    assert headings
    assert all(heading and heading in shown for heading in headings)
    assert not re.search(r"(^|\n)#{1,6} ", shown)
