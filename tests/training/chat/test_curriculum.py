"""The order of RAFT's rows, and how its answers are measured."""

from __future__ import annotations

from typing import Any

from mainspring.training.chat.curriculum import difficulty, ordered, refusal

REFUSES = "The documents do not say."


def row(answer: str, question: str = "Who built the mill?", documents: tuple[str, ...] = ("A mill stands.",)) -> Any:
    return {"question": question, "documents": list(documents), "answer": answer}


def test_a_refusal_over_documents_with_the_words_of_the_question_is_a_near_miss() -> None:
    assert difficulty(row("Ann did [1].")) == "answerable"
    assert difficulty(row(REFUSES, documents=("The mill was built in 1800.",))) == "near-miss"
    assert difficulty(row(REFUSES, documents=("Cats sleep.",))) == "off-topic"
    assert difficulty({**row(REFUSES, documents=("Cats sleep.",)), "difficulty": "near-miss"}) == "near-miss"
    assert refusal({"messages": [{"role": "assistant", "content": REFUSES}]})


def test_answerable_rows_come_first_and_refusals_stay_few() -> None:
    rows: list[Any] = [("answerable", f"a{each}") for each in range(80)]
    rows += [("off-topic", f"o{each}") for each in range(80)] + [("near-miss", f"n{each}") for each in range(80)]
    found = ordered(rows, refusals=0.2, seed=1)

    assert all(each.startswith("a") for each in found[:40])
    assert sorted(each for each in found if each.startswith("a")) == sorted(f"a{each}" for each in range(80))
    first = min(place for place, each in enumerate(found) if each.startswith("n"))
    assert any(each.startswith("o") for each in found[:first])
    later = found[40:]
    assert 0.1 < sum(not each.startswith("a") for each in later) / len(later) <= 0.2
    assert found == ordered(rows, refusals=0.2, seed=1)
    assert ordered([("answerable", 1), ("answerable", 2)], refusals=0.2, seed=1) in ([1, 2], [2, 1])
