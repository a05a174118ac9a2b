"""Polite rejections: one for each class in each language, without a lecture."""

from __future__ import annotations

import pytest

from mainspring.features.assistant.languages import LANGUAGES, Language
from mainspring.features.assistant.refusals import is_rejection, reason, rejection

CLASSES = ("weapons", "drugs", "violence", "theft", "intrusion", "self_harm", "tone", "personal", "injection", "other")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_class_has_words_of_its_own(language: Language) -> None:
    said = [rejection(each, language) for each in CLASSES]
    assert len(set(said)) == len(CLASSES)
    assert all(is_rejection(each) for each in said)
    lectures = ("illegal and", "unethical", "immoral", "as an ai", "als ki", "en tant qu'ia")
    assert not any(word in each.casefold() for each in said for word in lectures)


def test_classes() -> None:
    assert reason(("weapons",)) == "weapons"
    assert reason(("threat",)) == "violence"
    assert reason(("violence", "self_harm")) == "self_harm"
    assert reason(("instruction_override",)) == "injection"
    assert reason(("email",)) == "personal"
    assert reason(("hate",)) == "other"
    assert not is_rejection("Hello!")
