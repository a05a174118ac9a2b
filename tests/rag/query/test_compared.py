"""Comparisons: both sides are shown where the documents have them."""

from __future__ import annotations

from mainspring.rag.answer.findings import Findings
from mainspring.rag.answer.question import Question
from mainspring.rag.answer.verbatim.choice_weights import SHIPPED
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.query.question_parts import Lookup, shown
from mainspring.rag.search.hit import Hit

TEXT = "Honours with distinction need 90% in all.\n\nHonours need 90% on the mean.\n\nProbation begins below 75%."


def found(question: str) -> Lookup:
    hit = Hit("c", "d", "v", "a.md", TEXT, 0, len(TEXT), None, "", 0.9, 0.5, 1, 1, 1, "b")
    passages = []
    for number, text in enumerate(TEXT.split("\n\n")):
        start = TEXT.index(text)
        passages.append(Passage(hit, text, start, start + len(text), "sentence", "", 2.0 - number, 0.5))
    findings = Findings(question, [hit], passages, {"d": TEXT}, 0.9)
    return Lookup(findings, (findings,))


def told(question: str, words: int = 60) -> list[str]:
    asked = Question(question, "extractive", 5, (), None, None)
    looked = found(question)
    return [each.text for each in shown(looked, asked, max_sentences=3, max_words=words, choice=SHIPPED)]


def test_each_side_of_a_comparison_is_shown() -> None:
    first, second, third = TEXT.split("\n\n")
    assert told("What is the difference between honours and honours with distinction?") == [first, second]
    assert told("How do honours with distinction differ from probation?") == [first, third]
    assert told("What is the difference between honours and honours with distinction?", words=9) == [first]
    # No comparison, and one whose other side is in no passage.
    assert told("What do honours with distinction need?") == [first]
    assert told("What is the difference between honours with distinction and expulsion?") == [first]
