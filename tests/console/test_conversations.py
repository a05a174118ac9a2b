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
    browser.says("kept on the server, for your key alone")
    # Another key of the tenant never saw it.
    browser.sign_in(server.key)
    assert "Sending grinders back" not in browser.find(".history").text
