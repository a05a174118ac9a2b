"""Questions that textbooks ask of retrieval: what they are taken apart into, and how many passages they get."""

from __future__ import annotations

import pytest

from mainspring.rag.query import complexity, decompose


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("How does Python differ from Java?", ["Python", "Java"]),
        ("How is Python different from Java?", ["Python", "Java"]),
        ("Python vs Java?", ["Python", "Java"]),
        ("Explain how expenses, leave and remote work interact", ["expenses", "leave", "remote work"]),
        ("How do expenses and leave affect each other?", ["expenses", "leave"]),
        ("What do Python and Java have in common?", ["Python", "Java"]),
        (
            "What are the differences between annual leave, sick leave and parental leave?",
            ["annual leave", "sick leave", "parental leave"],
        ),
        ("Who is the CEO of the company that acquired Twitter?", []),
        ("How does the grinder work?", []),
        ("How do I clean and store the press?", []),
    ],
)
def test_what_is_to_be_set_side_by_side_is_searched_by_itself(question: str, parts: list[str]) -> None:
    assert decompose.by_rules(question) == parts


@pytest.mark.parametrize(
    ("question", "passages"),
    [
        ("What is RAG?", 3),
        ("When does the shop open?", 3),
        ("How does Python differ from Java?", 9),
        ("Explain how expenses, leave and remote work interact", 20),
    ],
)
def test_a_simple_question_gets_few_passages_and_a_complex_one_many(question: str, passages: int) -> None:
    assert complexity.passages(question, 5)[0] == passages
