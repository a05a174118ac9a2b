"""Two tenants in one browser: no page shows one tenant's data to the other."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
from selenium.webdriver.common.keys import Keys

from tests.cli.command import data
from tests.conftest import Server
from tests.console.browser import Browser
from tests.console.test_chat import COMPOSER, ended, pick
from tests.http.test_access import CHAT, run

LISTS = (
    *("chat", "knowledge", "prompts", "traces", "costs", "approvals", "live", "settings"),
    *(
        "quality/overview",
        "quality/guards",
        "quality/feedback",
        "quality/alerts",
        "quality/drift",
        "quality/objectives",
    ),
    "judges",
    *("agents", "runs", "memory", "desk", "datasets", "experiments"),
    *("arena", "arena/leaderboard", "arena/voters", "trials", "exports", "advise"),
    *("insights", "insights/conversations", "insights/gaps", "insights/faq"),
    *("lake", "lake/zones", "lake/lineage"),
    *("settings/limits", "settings/models", "settings/policies", "settings/audit"),
)
"""Every page that needs no name."""
OWN_WORDS = (
    "chat",
    "knowledge",
    "prompts",
    "costs",
    "settings",
    "agents",
    "runs",
    "memory",
    "quality/feedback",
    "quality/alerts",
    "settings/audit",
)
"""Those of them that say something of what a tenant made."""
TOLD = (("", "-papers"), ("You are ", "."), ("about ", "."))
"""What is before and behind the word in what can be opened by its address."""
# What is on each of them, also where there is nothing: so nobody looks at a page that is still loading.
THERE = "h1, h2, textarea"


@dataclass
class Tenant:
    """An admin key of a tenant, the word that is in everything that it made, and where that can be opened."""

    secret: str
    word: str
    own: tuple[str, ...] = ()


def _made(server: Server, tenant: str) -> Tenant:
    """A tenant that has used all of it: a collection, a prompt, feedback, a key, a budget, a silence."""
    secret = data(run(server, "keys", "create", tenant, "--tenant", tenant, "--scope", "admin", "--json"))["secret"]
    made = Tenant(secret, f"velvet{uuid.uuid4().hex[:8]}")

    operates = ("--scope", "admin", "--scope", "operate")
    operator = data(run(server, "keys", "create", f"{tenant} operator", "--tenant", tenant, *operates, "--json"))[
        "secret"
    ]

    def call(method: str, path: str, body: object = None, key: str = secret) -> dict[str, object]:
        status, answer = server.call(method, path, body, key=key)
        assert status < 300, (path, answer)
        return dict(answer)

    store = call("POST", "/v1/vector_stores", {"name": f"{made.word}-papers"})["id"]
    said = [{"role": "user", "content": f"Mail {made.word}@example.com about {made.word}."}]
    body = {"model": CHAT, "messages": said, "max_tokens": 4}
    _, headers, _ = server.raw("POST", "/v1/chat/completions", body, key=secret)
    call("POST", f"/v1/prompts/{made.word}/versions", {"template": f"You are {made.word}."})
    rated = {"answer_id": headers["x-answer-id"], "rating": "down", "comment": f"Too much {made.word}."}
    call("POST", "/v1/feedback", rated)
    call("POST", "/v1/keys", {"name": f"{made.word} key", "scopes": ["chat"]})
    call("POST", "/v1/budgets", {"name": f"{made.word} budget", "limit_usd": 1})
    call("POST", "/v1/silences", {"rule": "latency", "comment": f"for {made.word}", "seconds": 3600}, operator)
    definition = {"name": made.word, "description": f"You are {made.word}.", "limits": {"steps": 1}}
    call("POST", "/v1/agents", {"definition": definition})
    asked = {"agent": made.word, "input": f"Tell me about {made.word}.", "background": True}
    kept = call("POST", "/v1/agents/runs", asked)["id"]
    # Refused if it is over already.
    server.call("POST", f"/v1/agents/runs/{kept}/cancel", {}, key=secret)
    call("PUT", "/v1/memories/consent", {"consent": True})
    call("POST", "/v1/memories", {"text": f"I like {made.word}."})
    places = (f"knowledge/{store}", f"prompts/{made.word}", f"traces/{headers['x-trace-id']}/prompt")
    made.own = (*places, f"agents/{made.word}", f"runs/{kept}")
    return made


@pytest.fixture(scope="module")
def tenants(server: Server) -> tuple[Tenant, Tenant]:
    """Both have done the same."""
    return _made(server, f"t-{uuid.uuid4().hex[:8]}"), _made(server, f"t-{uuid.uuid4().hex[:8]}")


def seen(browser: Browser, page: str, word: str = "") -> str:
    """All that a page says and hides, once what it loads is there, ``word`` among it."""
    browser.open(f"/console/{page}")
    browser.find(THERE)
    browser.gone(".spinner")

    def text() -> str:
        found = str(browser.run("return document.documentElement.outerHTML"))
        return found if word in found else ""

    return browser.until(text, f"{word} on {page}")


def test_no_page_shows_what_another_tenant_has(
    browser: Browser, server: Server, tenants: tuple[Tenant, Tenant]
) -> None:
    browser.until(lambda: all(_traced(server, each) for each in tenants), "both traces")
    for mine, other in (tenants, tenants[::-1]):
        browser.sign_in(mine.secret)
        # The word would be seen: pages about what a tenant made say it of one's own.
        about = dict.fromkeys((*OWN_WORDS, *mine.own), mine.word)
        pages = {page: seen(browser, page, about.get(page, "")) for page in (*LISTS, *mine.own, *other.own)}
        assert [page for page in (*LISTS, *mine.own) if other.word in pages[page]] == []
        for page in other.own:
            # A name that was asked for is repeated, and nothing of what has it is told.
            assert "Not found" in pages[page] or "No answer is recorded of this trace" in pages[page], page
            assert not [said for said in TOLD if f"{said[0]}{other.word}{said[1]}" in pages[page]], page


def _traced(server: Server, tenant: Tenant) -> bool:
    return server.call("GET", f"/v1/{tenant.own[2].removesuffix('/prompt')}", key=tenant.secret)[0] == 200


def test_whoever_signs_in_next_finds_no_conversation(
    browser: Browser, server: Server, tenants: tuple[Tenant, Tenant]
) -> None:
    mine, other = tenants
    browser.sign_in(mine.secret)
    pick(browser, CHAT)
    browser.press("Parameters")
    browser.type("input[placeholder=default][max='100000']", "4")
    browser.type(COMPOSER, f"Say {mine.word}." + Keys.ENTER)
    browser.find(".turn.answer")
    ended(browser)
    address = browser.path()
    browser.until(lambda: mine.word in browser.run("return JSON.stringify(localStorage)"), "the conversation")
    # The key changes without signing out, as when it was revoked meanwhile.
    browser.run("sessionStorage.clear()")
    browser.open(address)
    browser.type("input[name=key]", other.secret + Keys.ENTER)
    browser.find(COMPOSER)
    assert mine.word not in browser.run("return document.documentElement.outerHTML")
    browser.press("Sign out")
    browser.click("dialog button.danger", "Sign out")
    browser.find("input[name=key]")
    assert mine.word not in browser.run("return document.documentElement.outerHTML")
