"""Sentences that say something else than a true one."""

from __future__ import annotations

import random

import _perturb as perturb


def test_changes_of_an_answer_are_what_their_names_say() -> None:
    generator = random.Random(1)
    sentence = "In 1066, William (the Duke), who was a Norman, was crowned in London."
    true = perturb.reworded(sentence)
    assert true == "William was crowned in London in 1066."
    changed = perturb.number_changed(true, generator)
    assert changed is not None
    assert changed.startswith("William was crowned in London in 1")
    assert changed != true
    assert perturb.name_changed(true, ["London", "Paris"], generator) == "William was crowned in Paris in 1066."
    assert perturb.negated(true) == "William was not crowned in London in 1066."
    assert perturb.negated("It was not so.") == "It was so."
    assert perturb.statement("Who was crowned in London?", "William") == "William was crowned in London."
    assert perturb.statement("Where did he live?", "London") is None
    assert perturb.number_changed("No number.", generator) is None
    assert perturb.name_changed("no name here.", ["Paris"], generator) is None
