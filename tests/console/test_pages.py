"""Every page with something on it: themes, narrow windows, keyboard, and the accessibility checker."""

from __future__ import annotations

import re

import pytest
from selenium.webdriver.common.keys import Keys

from tests.conftest import ROOT, Server
from tests.console.browser import Browser
from tests.console.filled import TOPIC, filled, remembering
from tests.console.test_chat import COMPOSER, QUESTION, ask, ended

WIDE, NARROW = (1440, 900), (390, 800)
SOURCES = ROOT / "console" / "src" / "pages"
# Each page's address, and what is there when it has loaded.
PAGES = {
    "chat": ("chat", ".turn.answer .facts"),
    "traces": ("traces", ".table"),
    "trace": ("traces", ".span-row"),
    "knowledge": ("knowledge", ".card-link"),
    "collection": ("knowledge", ".table"),
    "document": ("knowledge", ".chunk"),
    "search": ("knowledge", ".hit"),
    "costs": ("costs", ".bars"),
    "prompts": ("prompts", ".table"),
    "prompt": ("prompts", ".prompt-text"),
    "trace prompt": ("traces?operation=chat&model=handbook", ".answered"),
    "approvals": ("approvals", "li.card"),
    "agents": ("agents", ".card-link"),
    "agent": ("agents/looked-at", ".page-head h1"),
    "runs": ("runs", ".table tbody tr"),
    "run": ("runs", ".timeline li"),
    "desk": ("desk", ".cases li"),
    "case": ("desk", ".case-head"),
    "compose": ("compose", "textarea[aria-label=Mail]"),
    "translation": ("translate", ".state, section[aria-label=Translation]"),
    "loop": ("improve", ".state, section.card"),
    "advice": ("advise", ".table tbody tr"),
    "advised": ("advise", "section[aria-label=Ways]"),
    "training": ("train/jobs", ".state, .table"),
    "trained": ("train/models", ".state, .table"),
    "recipes": ("train/recipes", "li.card"),
    "memory": ("memory", "ul[aria-label=Facts] li"),
    "articles": ("content/articles", "ul[aria-label=Articles] li"),
    "article": ("content/articles", "article[aria-label=Article] p"),
    "plan": ("content/articles", "section[aria-label=Plan] li"),
    "notebooks": ("content/notebooks", ".card-link"),
    "notebook": ("content/notebooks", "section[aria-label=Ask]"),
    "exports": ("exports", ".table tbody tr"),
    "export": ("exports", "section[aria-label=Lineage] tbody a"),
    "topics": ("insights/topics", ".table tbody tr"),
    "conversations": ("insights/conversations", ".table tbody tr"),
    "conversation": ("insights/conversations", ".page h1"),
    "judges": ("judges", ".table tbody tr"),
    "judge": ("judges/copied", "details"),
    "gaps": ("insights/gaps", "ul[aria-label=Gaps] li"),
    "arena": ("arena/vote", "[role=group][aria-label='Which answer is better?']"),
    "leaderboard": ("arena/leaderboard", "section[aria-label=Leaderboard] tbody .interval"),
    "voters": ("arena/voters", "section[aria-label=Voters] tbody tr"),
    "trials": ("trials", ".table tbody tr"),
    "trial": ("trials", "section[aria-label=Verdict] .course"),
    "funnel": ("lake/funnel", "section[aria-label=Funnel] .meter"),
    "samples": ("lake/funnel", "dialog li.card a"),
    "zones": ("lake/zones", "section[aria-label='Interactions by day']"),
    "lineage": ("lake/lineage", "section[aria-label=Lineage] [aria-label=Rows] tbody tr"),
    "faq": ("insights/faq", "ul[aria-label=Entries] li"),
    "data sets": ("datasets", ".table tbody tr"),
    "data set": ("datasets/looked-at", ".table tbody tr"),
    "recorded": ("datasets/recorded", ".table tbody a"),
    "differences": ("datasets/looked-at?view=diff", ".table tbody tr"),
    "experiments": ("experiments", ".table tbody tr"),
    "experiment": ("experiments", "section[aria-label=Answers] li"),
    "overview": ("quality/overview", ".stacked"),
    "alerts": ("quality/alerts", ".state"),
    "drift": ("quality/drift", ".card"),
    "objectives": ("quality/objectives", "article"),
    "queues": ("review/queues", ".table tbody tr"),
    "items": ("review/items", ".table tbody tr"),
    "label": ("review/work", ".review-form"),
    "agreement": ("review/agreement", ".section-head, .state, .card, .table"),
    "calibration": ("review/calibration", ".section-head, .state, .card, .table"),
    "policies": ("settings/policies", ".pairs"),
    "audit": ("settings/audit", ".table"),
    "guards": ("quality/guards", ".stacked"),
    "feedback": ("quality/feedback", ".said-card"),
    "live": ("live", ".chart-card"),
    "keys": ("settings/keys", ".table tbody tr"),
    "limits": ("settings/limits", ".table tbody tr"),
    "models": ("settings/models", ".table tbody tr"),
}

# The pages that the first row of a list leads to.
FIRST = ("trace", "trace prompt", "prompt", "run", "conversation", "experiment", "advised", "export", "trial")


remembered = pytest.fixture(remembering, scope="module", autouse=True)


@pytest.fixture
def signed_in(browser: Browser, server: Server) -> Browser:
    """The browser of an admin who has asked something."""
    browser.open("/console")
    ready = browser.run(
        "return sessionStorage['mainspring.key'] === arguments[0] && "
        "Object.keys(localStorage).some(key => (localStorage[key] || '').includes(arguments[1]))",
        server.key,
        QUESTION,
    )
    if not ready:
        filled(server)
        browser.sign_in(server.key)
        ask(browser, QUESTION)
        server.call("POST", "/v1/prompts/looked-at/versions", {"template": "Be kind to {{ customer }}."})
        # Something for the page of feedback and of guards.
        browser.press("Good answer")
        browser.says("your feedback is recorded")
        browser.type(COMPOSER, "Who is jane.doe@example.com?" + Keys.ENTER)
        browser.until(lambda: len(browser.all(".turn.answer")) == 2, "an answer")
        ended(browser)
        browser.until(lambda: server.call("GET", "/v1/drift")[1]["data"], "what the monitor counted")
        # What was said is kept a moment later.
        browser.until(lambda: QUESTION in browser.run("return JSON.stringify(localStorage)"), "the conversation")
    return browser


def show(browser: Browser, page: str) -> None:
    """Open ``page`` and wait until what it loads is there."""
    address, there = PAGES[page]
    browser.open(f"/console/{address}")
    if page == "chat":
        browser.click(".history li a", "grinder")
    elif page in FIRST:
        browser.click(".table tbody a")
    elif page == "lineage":
        # From a row of an export to its trace, and from there to all that it became.
        browser.open("/console/exports")
        browser.click(".table tbody a")
        browser.click("section[aria-label=Lineage] tbody a")
        browser.click("a.button", "In the lake")
    elif page == "samples":
        browser.press("Examples: exact_duplicates")
    elif page == "arena":
        browser.type("section[aria-label=Vote] textarea", "Which grinder is quiet?")
        browser.click("button", "Ask both")
    elif page == "case":
        browser.click(".cases a")
    elif page in ("article", "plan"):
        browser.click(".card-link", TOPIC if page == "article" else "waits")
    elif page == "notebook":
        browser.click(".card-link", "Looked at")
    elif page in ("collection", "document", "search"):
        browser.click(".card-link", "handbook")
    if page == "trace prompt":
        browser.click(".choice button", "Prompt")
    elif page == "document":
        browser.click(".table tbody a")
    elif page == "search":
        browser.click(".choice button", "Search")
        browser.type('input[aria-label="Query"]', "How long are burrs guaranteed?" + Keys.ENTER)
    browser.find(there)
    browser.gone(".spinner")


def test_no_page_is_left_out() -> None:
    shown = {address.partition("?")[0] for address, _ in PAGES.values()}
    for page in sorted(each.parent for each in SOURCES.glob("*/page.tsx")):
        views = re.findall(r"\{ name: \"(\w+)\", title:", (page / "page.tsx").read_text(encoding="utf-8"))
        # The first view of a page is also the page itself.
        missing = {f"{page.name}/{each}" for each in views} - shown if views else {page.name} - shown
        assert not missing, missing


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_every_window_and_is_accessible(signed_in: Browser, page: str, checker: str) -> None:
    """In both themes. One visit serves for both: what a page loads takes longer than looking at it."""
    show(signed_in, page)
    looks = [(theme, *size) for theme in ("light", "dark") for size in (WIDE, NARROW)]
    for theme, width, height in looks:
        signed_in.look(theme, width, height)
        assert signed_in.overflow() <= 0, (page, theme, width)
    assert signed_in.complaints() == []
    if checker:
        for theme, width, height in looks:
            signed_in.look(theme, width, height)
            assert signed_in.axe(checker) == [], (page, theme, width)


def test_pages_are_looked_at_by_the_accessibility_checker(axe: str) -> None:
    assert "axe" in axe


def test_the_way_to_sign_in_is_accessible(browser: Browser, server: Server, axe: str) -> None:
    browser.open("/console")
    browser.run("sessionStorage.clear()")
    browser.open("/console")
    for theme in ("light", "dark"):
        browser.look(theme)
        browser.find("input[name=key]")
        assert browser.axe(axe) == []


def test_a_passage_is_accessible_and_read_by_keyboard_alone(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    browser.find(COMPOSER)
    ask(browser, QUESTION)
    browser.run("document.activeElement.blur()")
    browser.keys("/")
    assert browser.focus() == "Your question"
    # On the way around the page, which goes by the conversations that other tests left, too.
    for _ in range(300):
        browser.keys(Keys.SHIFT + Keys.TAB)
        if browser.focus().startswith("Source 1"):
            break
    assert browser.focus().startswith("Source 1")
    browser.keys(Keys.ENTER)
    browser.find("dialog mark")
    browser.keys(Keys.ESCAPE)
    browser.gone("dialog")
    assert browser.focus().startswith("Source 1")


def test_the_menu_of_a_narrow_window_opens_and_closes(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)
    browser.find(COMPOSER)
    browser.look("light", *NARROW)
    browser.gone("nav[aria-label=Pages]")
    browser.press("Menu")
    browser.click("nav a", "Traces")
    browser.gone("nav[aria-label=Pages]")
    browser.find("h1", "Traces")


def test_the_theme_that_is_chosen_stays(browser: Browser, server: Server) -> None:
    browser.sign_in(server.key)

    def ground() -> str:
        return str(browser.run("return getComputedStyle(document.body).backgroundColor"))

    light = ground()
    browser.click(".choice button", "Dark")
    dark = ground()
    assert dark != light
    browser.driver.refresh()
    browser.find("nav[aria-label=Pages]")
    assert ground() == dark
    browser.click(".choice button", "System")
    assert ground() == light


def test_a_label_is_submitted_without_scrolling(signed_in: Browser) -> None:
    show(signed_in, "label")
    for height in (1000, 700):
        signed_in.look("light", 1440, height)
        below = signed_in.run(
            "return document.querySelector('.review-form .button.primary').getBoundingClientRect().bottom - innerHeight"
        )
        assert below <= 0, height
