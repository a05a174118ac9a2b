"""The guide's rough estimation of a translation service (F.1, example 5), computed again."""

from __future__ import annotations


def test_the_volume_of_a_billion_users() -> None:
    translations = 1_000_000_000 * 2
    assert translations == 2_000_000_000
    assert round(translations / 86_400 / 1_000) == 23


def test_the_tokens_and_what_an_external_api_would_cost() -> None:
    # The guide says 75: that is 1.5 tokens a word. At its own .75 words a token, 50 words are 67.
    assert (50 * 1.5, round(50 / 0.75)) == (75, 67)
    tokens = 2_000_000_000 * 150
    assert tokens == 300_000_000_000
    assert tokens / 1_000_000 * 0.10 == 30_000


def test_the_parts_of_the_latency_leave_nothing_over() -> None:
    assert 50 + 100 + 300 + 50 == 500


def test_bilingual_models_grow_with_the_square() -> None:
    assert [languages * (languages - 1) for languages in (4, 130)] == [12, 16_770]
