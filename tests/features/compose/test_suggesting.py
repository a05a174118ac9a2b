"""Trigger, search and filters: which phrases are suggested at which places."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from mainspring.features.compose.model.ngrams import OwnPhrases
from mainspring.features.compose.model.search import Searching, phrases
from mainspring.features.compose.rules.filters import AllowedPhrase, Filters, Limits
from mainspring.features.compose.rules.sizing import Budget, estimate, token_probability
from mainspring.features.compose.rules.trigger import Triggering, waits
from mainspring.features.compose.suggesting import MailDraft, Suggested
from tests.features.compose.world import Lines, suggesting, tokenizer

CASES = json.loads(files("mainspring.features.compose.rules").joinpath("trigger.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES)
def test_the_trigger_waits_as_its_cases_say(case: dict[str, Any]) -> None:
    assert waits(case["before"], case["after"], case["pause_ms"], Triggering()) == case["waits"]


def texts(found: Suggested) -> list[str]:
    return [each.text for each in found.suggestions]


def test_the_phrase_of_the_lines_is_suggested_up_to_the_sentence_end() -> None:
    found = suggesting().suggest(MailDraft("I would like to know ", most=3))
    assert texts(found) == ["where my order is."]
    assert found.suggestions[0].confidence > 0.9


def test_between_two_ways_the_confidence_is_their_share() -> None:
    found = suggesting().suggest(MailDraft("I would like ", most=5))
    by_text = {each.text: each.confidence for each in found.suggestions}
    assert by_text["to know where my order is."] == pytest.approx(2 / 3, abs=0.01)
    assert by_text["to return the grinder."] == pytest.approx(1 / 3, abs=0.01)


def test_a_suggestion_ends_after_the_most_words() -> None:
    found = suggesting(most_words=2).suggest(MailDraft("I would like to know "))
    assert texts(found) == ["where my"]


def test_what_is_less_likely_than_the_least_confidence_is_not_suggested() -> None:
    found = suggesting(least_confidence=0.5).suggest(MailDraft("I would like ", most=5, least=0.5))
    assert texts(found) == ["to know where my order is."]
    assert suggesting().suggest(MailDraft("Nobody wrote like this ")).suggestions == ()


def test_the_search_ends_early_where_nothing_is_likely() -> None:
    made = tokenizer()
    model = Lines(made)
    from mainspring.features.compose.model.search import Vocabulary

    ids = made.encode("Nobody wrote like this").ids
    assert phrases(model, Vocabulary(made), ids, Searching(least=0.4)) == []
    assert model.steps == 0


def test_the_same_text_gives_the_same_suggestions() -> None:
    first, second = suggesting(), suggesting()
    asked = MailDraft("I would like ", most=5)
    assert first.suggest(asked) == second.suggest(asked) == first.suggest(asked)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("We met with the ", "language"),
        ("The reason for this is the ", "topic"),
        ("My colleague is here. My colleague ", "name"),
    ],
)
def test_what_must_not_be_suggested_is_dropped_with_its_reason(before: str, reason: str) -> None:
    found = suggesting().suggest(MailDraft(before))
    assert found.suggestions == ()
    assert reason in [each.reason for each in found.dropped]


def test_a_name_that_the_mail_names_may_be_suggested() -> None:
    found = suggesting().suggest(MailDraft("My colleague is here. My colleague ", to="Bartholomew"))
    assert texts(found) == ["Bartholomew will call you."]


def test_words_that_name_a_sex_become_neutral() -> None:
    found = suggesting().suggest(MailDraft("Please ask the "))
    assert [(each.text, each.neutral) for each in found.suggestions] == [("chairperson about it.", True)]


@pytest.mark.parametrize(
    "before",
    ["Write to me at anna@exam", "My card is 4111 1111 1111", "The key is sk-proj-abcdefghij", "Call +49 151 2345 "],
)
def test_nothing_is_suggested_behind_what_may_become_personal_data(before: str) -> None:
    assert suggesting().suggest(MailDraft(f"{before} ")).silent == "personal"


def test_nothing_is_suggested_in_a_sentence_about_a_topic_of_the_list() -> None:
    assert suggesting().suggest(MailDraft("Since the suicide of my friend I would like ")).silent == "topic"
    assert suggesting().suggest(MailDraft("It was a suicide. Now I would like ")).silent is None


FILTERS = Filters(Limits(), blocked=("acme",))


@pytest.mark.parametrize(
    ("before", "text", "shown", "reason"),
    [
        ("I think ", "one two three four five six seven eight nine ten eleven", [], "long"),
        ("I write to say thank you ", "thank you", [], "duplicate"),
        ("where is my order now where ", "is my order", [], "duplicate"),
        ("I think ", "it is", ["it is good"], "duplicate"),
        ("I think ", "it is good", ["it is"], "duplicate"),
        ("I think ", "Acme will do", [], "language"),
        ("I think ", "the old man", [], "person"),
        ("I think ", "...", [], "empty"),
        ("You can reach me at ", "anna.smith@example.com today", [], "personal"),
        ("My number is ", "123456", [], "personal"),
        ("We will meet ", "Gwendolyn on Monday", [], "name"),
        ("We will meet ", "on Monday", [], None),
        ("I asked Gwendolyn and ", "Gwendolyn said", [], None),
    ],
)
def test_filters(before: str, text: str, shown: list[str], reason: str | None) -> None:
    found = FILTERS.check(before, "", text, 0.9, shown)
    assert (None if isinstance(found, AllowedPhrase) else found.reason) == reason


def test_an_unsure_phrase_is_dropped_by_the_filter_alone() -> None:
    assert not isinstance(FILTERS.check("I think ", "", "so", 0.14, []), AllowedPhrase)


def test_pronouns_become_they() -> None:
    found = FILTERS.check("I hope that ", "", "he or she is well", 0.9, [])
    assert isinstance(found, AllowedPhrase)
    assert found.text == "they are well"


def test_own_phrases_change_what_is_suggested_and_confidence_stays_a_probability() -> None:
    made = suggesting()
    ids = made.packed.tokenizer.encode("I would like to return my order today.").ids
    own = OwnPhrases([ids] * 20, share=0.9)
    plain = made.suggest(MailDraft("I would like to "))
    mixed = made.suggest(MailDraft("I would like to "), own)
    assert texts(plain) == ["know where my order is."]
    assert texts(mixed) == ["return my order today."]
    assert 0.5 < mixed.suggestions[0].confidence < 1


def test_a_long_mail_is_read_from_a_place_that_moves_in_steps() -> None:
    made = suggesting()
    body = "This mail is very long. " * 300
    first = made.ids(MailDraft(""), (body + "I would like").rstrip())
    second = made.ids(MailDraft(""), (body + "I would like to").rstrip())
    assert len(second) <= 128 - 2 * 10
    assert second[: len(first)] == first


def test_the_guides_estimate() -> None:
    found = estimate()
    assert found.requests == 2e9
    assert round(found.requests_per_s) == 23148
    assert (found.tokens_in, found.tokens_out) == (400e9, 10e9)
    # The guide says 40 thousand.
    assert found.usd == pytest.approx(41_000)
    assert found.cores == pytest.approx(463, abs=1)
    assert found.peak_cores == pytest.approx(3 * found.cores)
    assert Budget().total == 100
    assert Budget(network=40).total > 100
    assert token_probability() == pytest.approx(0.684, abs=0.001)
