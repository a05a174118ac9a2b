"""Signing in, and the chat: answers that cite, versions, two models, feedback, the trace of an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from tests.cli.command import data
from tests.conftest import Server
from tests.console.browser import Browser, steady
from tests.http.test_access import CHAT, run

QUESTION = "How long do I have to return a grinder I ordered online?"
COMPOSER = 'textarea[aria-label="Your question"]'


def ask(browser: Browser, text: str, model: str = "handbook") -> None:
    """Ask and wait for the whole answer."""
    pick(browser, model)
    answers = len(browser.all(".turn.answer"))
    browser.type(COMPOSER, text + Keys.ENTER)
    browser.until(lambda: len(browser.all(".turn.answer")) > answers, "an answer")
    ended(browser)


def pick(browser: Browser, model: str, index: int = 0) -> None:
    browser.find(".picker select")
    browser.until(
        lambda: browser.run(
            """const [model, index] = arguments; const select = document.querySelectorAll('.picker select')[index];
                if (![...select.options].some(option => option.value === model)) return false;
                Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(select, model);
                select.dispatchEvent(new Event('change', {bubbles: true})); return true""",
            model,
            index,
        ),
        f"the model {model}",
    )


def ended(browser: Browser) -> None:
    browser.gone('button[aria-label="Stop"]')


def test_a_wrong_key_is_refused_in_words_and_a_right_one_opens_the_chat(browser: Browser, server: Server) -> None:
    browser.open("/")
    browser.until(lambda: browser.path().startswith("/console"), "the console")
    browser.run("sessionStorage.clear()")
    browser.open("/console")
    browser.type("input[name=key]", "ms-wrong" + Keys.ENTER)
    browser.says("The API key is unknown")
    browser.fill("input[name=key]", server.key + Keys.ENTER)
    browser.find(COMPOSER)
    assert browser.path() == "/console/chat"
    # The tab has the key, and nothing that outlives all tabs has.
    assert browser.run("return sessionStorage['mainspring.key']") == server.key
    assert server.key not in browser.run("return JSON.stringify(localStorage) + document.cookie")
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    browser.open("/console")
    # Another tab of the browser is signed in as well, and signed out with it.
    browser.find(COMPOSER)
    browser.press("Sign out")
    browser.click("dialog button.danger", "Sign out")
    browser.find("input[name=key]")
    browser.driver.close()
    browser.driver.switch_to.window(first)
    browser.find("input[name=key]")
    assert browser.run("return sessionStorage['mainspring.key']") is None


def test_an_answer_cites_and_a_citation_opens_its_passage(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    ask(browser, QUESTION)
    answer = browser.find(".turn.answer").text
    assert "30" in answer or "thirty" in answer.lower(), answer
    browser.click(".cite", "1")
    body = {"model": "handbook", "messages": [{"role": "user", "content": QUESTION}]}
    (cited, *_) = server.call("POST", "/v1/chat/completions", body)[1]["choices"][0]["message"]["citations"]
    # A row of a table is shown in its table: the values are marked, their columns' names stand above.
    browser.find("dialog mark")
    marks = steady(lambda: [str(each.get_attribute("textContent")) for each in browser.all("dialog mark")])
    assert marks == re.findall(r": ([^|]*) \|", cited["quote"]) if cited["quote"].startswith("| ") else [cited["quote"]]
    assert browser.find("dialog .document-text").get_attribute("textContent") != cited["quote"]
    assert browser.find("dialog h2").text in browser.run("return document.querySelector('.sources').innerText")
    browser.keys(Keys.ESCAPE)
    browser.gone("dialog")
    assert browser.focus().startswith("Source 1")


def test_an_answer_shows_what_it_took_and_leads_to_its_trace(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    ask(browser, QUESTION)
    assert re.search(r"\d+ \+ \d+ tokens", browser.find(".facts").text)
    browser.click(".fact-link", "Trace")
    browser.find(".span-row", "request")
    assert len(browser.all(".span-row")) >= 2
    trace = browser.path().rpartition("/")[2]
    browser.click(".choice button", "Facts")
    browser.find(".facts-list h2", "Answer")
    status, found = server.call("GET", f"/v1/traces/{trace}")
    assert status == 200
    (request,) = [span for span in found["spans"] if span["name"] == "request"]
    assert request["attributes"]["gen_ai.request.model"] == "handbook"


def test_thumbs_and_a_better_answer_are_recorded(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    ask(browser, "Who pays for the return shipping of a broken grinder?")
    browser.press("Good answer")
    browser.says("your feedback is recorded")
    browser.press("Write a better answer")
    browser.fill("dialog textarea", "The shop pays.")
    browser.click("dialog .check", "improve")
    browser.click("dialog button", "Send")
    browser.gone("dialog")
    feedback = server.call("GET", "/v1/events?kind=feedback&limit=2")[1]["data"]
    assert [(each["facts"]["rating"], each["content"], each["consent"]) for each in feedback] == [
        (None, "The shop pays.", True),
        ("up", None, False),
    ]


def test_answering_again_keeps_both_answers_and_a_branch_is_its_own(browser: Browser, server: Server) -> None:
    key = data(run(server, "keys", "create", "console brancher", "--scope", "chat", "--json"))["secret"]
    browser.sign_in(key)
    ask(browser, "Say a word.", CHAT)
    browser.press("Answer again")
    browser.find(".versions", "2 of 2")
    ended(browser)
    browser.press("Earlier answer")
    browser.find(".versions", "1 of 2")
    first = browser.path()
    browser.press("Branch off here")
    browser.until(lambda: browser.path() != first, "the branch")
    assert not browser.all(".versions")
    assert len(browser.all(".history li")) == 2
    # A question in other words stands beside the first.
    browser.press("Edit the question")
    browser.fill(".editing textarea", "Say another word.")
    browser.click(".editing button", "Ask this instead")
    browser.find(".question .versions", "2 of 2")
    ended(browser)
    # What was said is there when the page is loaded anew.
    browser.driver.refresh()
    browser.find(".question", "Say another word.")


def test_a_file_is_attached_answered_from_and_taken_away_with_its_conversation(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "halcyon.md"
    file.write_text(f"# Halcyon\n\n## Bearings\n\nThe bearing is oiled every 417 hours. {tmp_path}\n", encoding="utf-8")
    browser.sign_in(server.key)
    pick(browser, CHAT)
    browser.press("Attach files")
    browser.run("document.querySelector('dialog input[type=file]').hidden = false")
    browser.find("dialog input[type=file]").send_keys(str(file))
    browser.find(".chip.ready", "halcyon.md")
    store = browser.find(".attached-store a").text
    # It answers, and is no model: neither in the list to choose from nor over HTTP.
    assert store not in browser.texts(".picker option")
    assert store not in [each["id"] for each in server.call("GET", "/v1/models")[1]["data"]]
    assert browser.find(".picker select").get_attribute("value") == "document-qa"
    browser.type(COMPOSER, "How often is the bearing oiled?" + Keys.ENTER)
    browser.until(lambda: browser.all(".turn.answer"), "an answer")
    ended(browser)
    assert "417" in browser.find(".turn.answer .prose").text
    # Nothing but the file was looked at.
    assert set(browser.texts(".source-name")) == {"halcyon.md"}
    browser.click(".cite", "1")
    assert "417" in browser.find("dialog mark").text
    browser.keys(Keys.ESCAPE)
    browser.gone("dialog")
    # It is all there when the page is loaded anew, and the collection goes with the conversation.
    browser.driver.refresh()
    browser.find(".chip.ready", "halcyon.md")
    assert store in json.dumps(server.call("GET", "/v1/vector_stores")[1])
    browser.click('.history button[aria-label^="Delete"]')
    browser.click("dialog .check", "Delete its files too")
    browser.click("dialog button", "Delete")
    browser.until(lambda: store not in json.dumps(server.call("GET", "/v1/vector_stores")[1]), "its end")


def test_a_file_that_cannot_be_read_says_so_and_holds_nobody_up(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "broken.pdf"
    file.write_bytes(b"%PDF-1.7 and no more " + str(tmp_path).encode())
    browser.sign_in(server.key)
    browser.press("Attach files")
    browser.run("document.querySelector('dialog input[type=file]').hidden = false")
    browser.find("dialog input[type=file]").send_keys(str(file))
    browser.find(".chip.failed .chip-error")
    browser.press("Remove broken.pdf")
    browser.gone(".chip")
    browser.press("Stop answering from " + browser.find(".attached-store a").text)
    ask(browser, QUESTION, "document-qa")
    browser.find(".source-name", "returns")


def test_two_models_answer_side_by_side(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    browser.press("Compare two models")
    browser.until(lambda: len(browser.all(".pane")) == 2, "two panes")
    pick(browser, "handbook", 0)
    pick(browser, CHAT, 1)
    # A small model may go on for as long as its context is.
    browser.press("Parameters")
    browser.type("input[placeholder=default][max='100000']", "64")
    browser.type(COMPOSER, QUESTION + Keys.ENTER)
    browser.until(lambda: len(browser.all(".turn.answer")) == 2, "two answers")
    ended(browser)
    assert browser.texts(".pane-name") == ["handbook", CHAT]
    assert len(browser.all(".pane:first-child .cite")) >= 1
    assert len(browser.all(".pane:last-child .cite")) == 0


def test_an_answer_can_be_stopped_with_the_keyboard(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    pick(browser, CHAT)
    browser.press("Parameters")
    browser.type("input[placeholder=default][max='100000']", "2000")
    browser.type(COMPOSER, "Tell me a very long story about a watchmaker." + Keys.ENTER)
    browser.until(lambda: len(browser.find(".answer .prose").text) > 5, "the first words")
    browser.keys(Keys.ESCAPE)
    browser.says("Stopped.")
    ended(browser)


def test_what_is_refused_is_said_in_the_servers_words(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    pick(browser, CHAT)
    browser.press("Parameters")
    browser.type("input[placeholder=default][max='2']", "9")
    browser.type(COMPOSER, "Hello." + Keys.ENTER)
    browser.find(".answer .note.bad", "emperature")


def test_markup_in_an_answer_is_text(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    hostile = '<img src=x onerror="window.stolen=1"><script>window.stolen=1</script>[x](javascript:alert(1))'
    conversation = {
        "id": "c1", "title": "hostile", "at": 1, "set": {}, "panes": [{
            "model": CHAT, "shown": {"": "q", "q": "a"},
            "turns": {
                "q": {"id": "q", "parent": "", "role": "user", "text": hostile},
                "a": {"id": "a", "parent": "q", "role": "assistant", "text": hostile, "answer": {
                    "status": "done", "model": CHAT, "citations": [], "notices": [], "missing": [], "conflicts": []}},
            },
        }],
    }  # fmt: skip
    me = server.call("GET", "/v1/me")[1]["key_id"]
    browser.run(
        "localStorage.setItem(arguments[0], arguments[1])", f"mainspring.conversations.{me}", json.dumps([conversation])
    )
    browser.open("/console/chat/c1")
    assert hostile in browser.find(".bubble").text
    browser.find(".answer .prose", "<img src=x")
    assert browser.run("return window.stolen") is None
    assert not browser.all(".prose img, .prose a")


def test_a_key_is_told_what_it_may_not_open(browser: Browser, server: Server) -> None:
    chatter = data(run(server, "keys", "create", "console chatter", "--scope", "chat", "--json"))["secret"]
    browser.sign_in(chatter)
    browser.click("nav a", "Traces")
    browser.says("This key cannot open Traces")
    browser.says("--scope admin")
    browser.click("nav a", "Chat")
    ask(browser, QUESTION)
    # Nor is it offered.
    assert not browser.all(".fact-link")
    assert not browser.find(".composer .attach").is_enabled()


def test_everything_comes_from_the_server_and_nothing_complains(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    ask(browser, QUESTION)
    asked = [url for url in browser.requests() if not url.startswith(("data:", "blob:", "chrome"))]
    assert asked
    assert {url for url in asked if not url.startswith(server.url)} == set()
    assert browser.complaints() == []
