"""What two questions must have in common, whatever a model thinks of them."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.engines.encode.late_interaction import Tokens
from mainspring.serving.cache.semantic.likeness import compare, same
from mainspring.serving.cache.semantic.reading import read

SAME = [
    ("How do I return a grinder?", "How can I return a grinder?"),
    ("How do I return a grinder?", "How to return the grinder"),
    ("How do I return a grinder?", "What is the best way to return a grinder?"),
    ("What is the capital of France?", "what's the capital of France"),
    ("Why didn't the pump start?", "Why did not the pump start?"),
    ("What is the difference between a Mac and a PC?", "What's the difference between a PC and a Mac?"),
    ("What does SLA mean?", "What is the meaning of SLA?"),
    ("What is RAG?", "Tell me what RAG is."),
    ("What is RAG?", "Tell me RAG"),
    ("What is the capital of France?", "Can you tell me the capital of France?"),
    ("Where can I find the policies?", "Where do you find the policy?"),
]
DIFFERENT = [
    # numbers, units, dates
    ("Is 30 days enough notice?", "Is 60 days enough notice?", "fixed"),
    ("Is 30 days enough notice?", "Is 30 weeks enough notice?", "fixed"),
    ("What happened in May 2015?", "What happened in June 2015?", "fixed"),
    ("What are the two rules?", "What are the three rules?", "fixed"),
    ("Should I read section 4?", "Should I read section 4.2?", "fixed"),
    # negation, quantity, degree, duty
    ("Why should I open the valve?", "Why should I not open the valve?", "fixed"),
    ("Can I work without a licence?", "Can I work with a licence?", "roles"),
    ("Do all staff get leave?", "Do some staff get leave?", "fixed"),
    ("Which pump is better?", "Which pump is worse?", "fixed"),
    ("Must I wear goggles?", "Can I wear goggles?", "question"),
    # who, what, when
    ("Who opened the plant?", "When was the plant opened?", "question"),
    ("How many pumps are there?", "How old are the pumps?", "question"),
    ("Who is the president?", "Who was the president?", "tense"),
    ("What colour are my eyes?", "What colour are your eyes?", "person"),
    ("What is a valve?", "What is a valve for?", "words"),
    ("What is the capital of France?", "Tell me the capital of Spain", "names"),
    ("What is RAG?", "Tell me how RAG works", "question"),
    # names
    ("Who leads the office in Bergen?", "Who leads the office in Oslo?", "names"),
    ("What is vitamin A?", "What is vitamin B?", "names"),
    ("Is Sam in charge?", "Is Kim in charge?", "names"),
    # opposites
    ("How do I increase the pressure?", "How do I decrease the pressure?", "opposites"),
    ("Where can I buy shares?", "Where can I sell shares?", "opposites"),
    ("Who is the highest-ranked officer?", "Who is the lowest-ranked officer?", "opposites"),
    ("Which is the boldest plan?", "Which is the meekest plan?", "opposites"),
    ("How did they plan to regulate trade?", "How did they plan to deregulate trade?", "opposites"),
    ("Which non-toxic glue is sold?", "Which non-sticky glue is sold?", "opposites"),
    # direction and roles
    ("How do I fly from Oslo to Bergen?", "How do I fly from Bergen to Oslo?", "order"),
    ("What was the name of the man who was assured?", "What was the name of the man who assured?", "voice"),
    ("Did the dog bite the man?", "Did the man bite the dog?", "order"),
    ("What runs before the backup?", "What runs after the backup?", "roles"),
    ("Is he just loquacious or really wise?", "Is he really loquacious or just wise?", "order"),
    # more than one word differs, or one more is there
    ("What are the rules for visitors?", "What are the rules for new visitors?", "words"),
    ("What are the rules for visitors?", "What are the rules for visitors in Norway?", "names"),
    ("What are the rules for visitors?", "Which books do guests read?", "words"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_in_other_words(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        found = compare(read(first), read(second))
        assert not isinstance(found, str), found
        assert not found.left


@pytest.mark.parametrize(("one", "other", "reason"), DIFFERENT)
def test_differences_are_found_in_either_order(one: str, other: str, reason: str) -> None:
    found = compare(read(one), read(other))
    assert found == reason
    assert isinstance(compare(read(other), read(one)), str)


def test_a_swap_within_a_phrase_is_no_swap_of_what_is_joined() -> None:
    # "red" belongs to "cars" alone: what "and" joins is longer than a word.
    assert compare(read("Are red cars and bikes safe?"), read("Are red bikes and cars safe?")) == "order"


class Dictionary:
    """Words by their vectors; what is not in it is unknown to the model."""

    def __init__(self, **vectors: tuple[float, float]) -> None:
        self.vectors = vectors
        self.asked = 0

    async def tokens(self, texts: list[str]) -> list[Tokens]:
        self.asked += 1
        found = []
        for text in texts:
            words = text.strip("?").split()
            spans = []
            at = 0
            for word in words:
                at = text.index(word, at)
                spans.append((at, at + len(word)))
                at += len(word)
            rows = np.array([self.vectors.get(word.lower(), (0.0, 1.0)) for word in words], np.float16)
            found.append(Tokens(rows, spans, [word.lower() in self.vectors for word in words]))
        return found


async def test_one_word_for_another_is_asked_of_the_model() -> None:
    words = Dictionary(film=(1, 0), movie=(0.95, 0.31), novel=(0.6, 0.8))
    one = "Who directed the film?"
    assert (await same(one, "Who directed the movie?", words)).same  # type: ignore[arg-type]
    verdict = await same(one, "Who directed the novel?", words)  # type: ignore[arg-type]
    assert (verdict.same, verdict.reason) == (False, "word")
    assert words.asked == 2


async def test_a_word_that_the_model_does_not_know_stands_for_no_other() -> None:
    words = Dictionary(film=(0, 1))
    assert not (await same("Who directed the film?", "Who directed the flurb?", words)).same  # type: ignore[arg-type]


async def test_the_model_is_not_asked_where_the_rules_decide() -> None:
    words = Dictionary()
    assert (await same("How do I pay?", "How can I pay?", words)).same  # type: ignore[arg-type]
    assert not (await same("How do I pay?", "How do I not pay?", words)).same  # type: ignore[arg-type]
    assert words.asked == 0
