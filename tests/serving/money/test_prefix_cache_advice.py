from __future__ import annotations

from mainspring.core.types import ChatRequest, EmbedRequest, Message, Tool
from mainspring.serving.money.prefix_cache_advice import PrefixTerms, advise, prefix_tokens
from mainspring.serving.money.price_book import PriceBook
from mainspring.serving.money.pricing import Price


def test_break_even_at_anthropics_and_at_googles_terms() -> None:
    """The guide says 5-10 queries. Where writing costs 1.25 and reading 0.1 of the input it is 2; where a provider
    asks for storage by the hour, as Google does ($4.50 a million tokens for Gemini 1.5 Pro), it is 7 in an hour."""
    book = PriceBook.load()
    sonnet = book.named("anthropic/claude-sonnet-4-5")
    assert sonnet is not None
    terms = PrefixTerms.of(sonnet.price(1_764_000_000.0))
    assert terms is not None
    assert (terms.write / terms.input, terms.read / terms.input) == (1.25, 0.1)
    assert terms.break_even() == 2
    google = PrefixTerms(1_250_000_000, 1_250_000_000, 312_500_000, storage=4_500_000_000)
    assert google.break_even(1.0) == 7
    assert google.break_even(0.5) == 4
    # What is kept without being asked for pays at once.
    assert PrefixTerms(100, 100, 50).break_even() == 1
    assert PrefixTerms.of(Price(100, 100)) is None
    assert PrefixTerms.of(Price(100, 100, 100)) is None


def test_break_even_is_where_the_costs_meet() -> None:
    for terms, hours in (
        (PrefixTerms(10, 25, 1), 0.0),
        (PrefixTerms(8, 8, 2, storage=9), 2.5),
        (PrefixTerms(7, 30, 6), 0.0),
    ):
        uses = terms.break_even(hours)
        assert uses is not None

        assert terms.cost(uses, 1, hours) <= uses * terms.input
        assert uses == 1 or terms.cost(uses - 1, 1, hours) > (uses - 1) * terms.input


def test_reuse_that_comes_too_late_is_written_again() -> None:
    terms = PrefixTerms(1_000_000_000, 1_250_000_000, 100_000_000, kept_s=300)
    often = [("often", 10_000, 60.0 * minute) for minute in range(10)]
    seldom = [("seldom", 10_000, 3600.0 * hour) for hour in range(10)]
    best, worst = advise("m", [*seldom, *often], terms)
    assert (best.prefix, best.uses, best.writes) == ("often", 10, 1)
    assert best.plain == 10 * 10_000 * 1000
    assert best.kept == 10_000 * 1250 + 9 * 10_000 * 100
    assert (worst.prefix, worst.writes, worst.saves) == ("seldom", 10, -10 * 10_000 * 250)


def test_a_prefix_is_what_every_call_begins_with() -> None:
    long = "Answer as the handbook says. " * 200
    asked = ChatRequest("m", (Message("system", long), Message("user", "Hello")))
    other = ChatRequest("m", (Message("system", long), Message("user", "Bye")))
    assert prefix_tokens(asked) == prefix_tokens(other) == (long, len(long) // 4)
    assert prefix_tokens(ChatRequest("m", (Message("user", long),))) is None
    assert prefix_tokens(ChatRequest("m", (Message("system", "Be brief."), Message("user", long)))) is None
    assert prefix_tokens(EmbedRequest("m", (long,))) is None
    tools = tuple(Tool(f"tool{n}", "does " * 100, {"type": "object"}) for n in range(30))
    with_tools = prefix_tokens(ChatRequest("m", (Message("user", "x"),), tools=tools))
    assert with_tools is not None
    assert with_tools[1] > 3000
