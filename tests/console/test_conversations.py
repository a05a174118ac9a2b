"""Conversations are kept on the server: another browser with the same key shows them, and erased ones are gone."""

from __future__ import annotations

from tests.cli.command import data
from tests.conftest import Server
from tests.console.browser import Browser
from tests.console.test_chat import QUESTION, ask
from tests.http.test_access import run


def test_another_browser_of_the_key_has_the_conversation_and_what_is_erased_is_gone(
    browser: Browser, server: Server
) -> None:
    key = data(run(server, "keys", "create", "console talker", "--scope", "chat", "--json"))["secret"]
    browser.sign_in(key)
    ask(browser, QUESTION)
    browser.find(".history-title", QUESTION[:20])
    before = browser.find(".turn.answer .prose").text
    # Nothing of what was said stays in the browser.
    browser.driver.refresh()
    browser.find(".turn.answer .cite")
    assert QUESTION not in browser.run("return JSON.stringify({...localStorage, ...sessionStorage})").replace(
        QUESTION[:80], ""
    )
    # A browser that knows nothing but the key.
    browser.sign_in(key)
    browser.click(".history-title", QUESTION[:20])
    browser.find(".source-name", "returns")
    assert browser.find(".turn.answer .prose").text == before
    # It goes on there, and the second answer to a question is kept beside the first.
    browser.press("Answer again")
    browser.find(".versions", "2 of 2")
    browser.gone("button[aria-label=Stop]")
    browser.driver.refresh()
    browser.find(".versions", "2 of 2")
    assert len(browser.all(".history li")) == 1
    # Named here, it is called so there.
    browser.click(".history button[aria-label^=Rename]")
    browser.fill("dialog input", "Sending grinders back")
    browser.click("dialog button.primary", "Rename")
    browser.find(".history-title", "Sending grinders back")
    browser.sign_in(key)
    browser.find(".history-title", "Sending grinders back")
    browser.click(".history button[aria-label^=Delete]")
    browser.click("dialog button.danger", "Delete")
    browser.gone(".history-title")
    browser.driver.refresh()
    browser.says("kept on the server. Only your key can see them")
    # Another key of the tenant never saw it.
    browser.sign_in(server.key)
    assert "Sending grinders back" not in browser.find(".history").text


SAVED = """
window.saved = window.savedAs = null;
const made = URL.createObjectURL;
URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return made(blob); };
HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; };
"""
"""What is saved is looked at in place of being put on the disk."""


def test_conversations_are_found_by_what_was_said_and_exported(browser: Browser, server: Server) -> None:
    key = data(run(server, "keys", "create", "console finder", "--scope", "chat", "--json"))["secret"]
    browser.sign_in(key)
    ask(browser, QUESTION)
    answer = browser.find(".turn.answer .prose").text
    for number in range(4):
        browser.click(".history button", "New conversation")
        browser.until(lambda: not browser.all(".turn.answer"), "an empty page")
        ask(browser, f"Which setting is for a moka pot? ({number})")
    # A browser that has loaded none of them: the server looks into what was said.
    browser.sign_in(key)
    browser.until(lambda: len(browser.all(".history li")) == 5, "all conversations")
    words = next(word for word in answer.replace(",", " ").split() if len(word) > 6 and word not in QUESTION)
    browser.type("input[aria-label='Find a conversation']", words)
    browser.until(lambda: len(browser.all(".history li")) == 1, "the one with the word")
    browser.find(".history-title", QUESTION[:20])
    browser.fill("input[aria-label='Find a conversation']", "zebra-that-nobody-named")
    browser.until(lambda: not browser.all(".history li"), "none")
    browser.fill("input[aria-label='Find a conversation']", words)
    browser.until(lambda: len(browser.all(".history li")) == 1, "the one with the word")
    browser.run(SAVED)
    browser.click(".history button[aria-label^=Export]")
    text = browser.until(lambda: browser.run("return window.saved"), "the export")
    assert browser.run("return window.savedAs").endswith(".md")
    assert QUESTION in text
    assert answer.split("\n")[0][:40] in text
    assert "returns" in text, "with its sources"
