"""What a question names exactly, and whether a text has it."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.evidence.exact_names import ExactName, exact, has, missing, named


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the default of --threshold in borg compact?", [("--threshold", "identifier")]),
        ("What does BORG_EXIT_CODES=legacy do?", [("BORG_EXIT_CODES", "identifier")]),
        ("What is the engine of N8770M, the Beech?", [("N8770M", "identifier"), ("Beech", "name")]),
        ("What changed in version 2.1?", [("2.1", "identifier")]),
        ("What did Amazon pay in the third quarter of 2023?", [("2023", "year"), ("Amazon", "name")]),
        ("How much does Made Tech pay for a bike?", [("Made Tech", "name")]),
        ("Summarise PEP 387", [("PEP", "name")]),
        ("Find Larkfield's rules", [("Larkfield", "name")]),
        ("What's the price of a 4 kg box sent on the 3rd within a 90-day trial?", []),
        ("Does Let's Encrypt issue wildcard certificates?", [("Let's Encrypt", "name")]),
        ("Which of these apply in January?", []),
        ("What does exit code 42 of restic mean?", [("exit code 42", "numbered")]),
        ("How many forms are there in 12 rooms?", []),
        ("My son was born in March 2007. Which division is he in for 2016?", [("2016", "year")]),
        ("My daughter, born on 3rd May, 2011, plays at under-10 level. Who are over-60s?", []),
        ("Was the club born before its statutes of this long kind were passed in 2011?", [("2011", "year")]),
    ],
)
def test_what_a_question_names(question: str, expected: list[tuple[str, str]]) -> None:
    assert [(each.text, each.kind) for each in named(question)] == expected


def test_an_identifier_is_met_by_itself_alone() -> None:
    assert exact("set --threshold PERCENT", "--threshold")
    assert not exact("set --threshold-low", "--threshold")
    assert not exact("BORG_RSH_OLD", "BORG_RSH")
    assert exact("The engine of N8770M.", "n8770m")


def test_a_name_is_met_however_its_words_are_joined() -> None:
    assert has("madetech/benefits/pension.md", ExactName("Made Tech", "name"))
    assert not has("made of high tech", ExactName("Made Tech", "name"))


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("Exit codes: 0 means success, 1 a fatal error, 42 a lost lock.", True),
        ("| Exit code | Meaning |\n| 0 | success |\n| 42 | lost lock |", True),
        ("The exit code is 1 on errors. " + "Snapshots are kept. " * 70 + "There were 42 snapshots.", False),
        ("Exit code 1.42 and exit code 420.", False),
        ("The 42 snapshots were kept.", False),
    ],
)
def test_one_of_a_series_is_met_by_its_number_near_its_noun(text: str, there: bool) -> None:
    assert has(text, ExactName("exit code 42", "numbered")) is there


def test_a_name_in_the_plural_is_met_in_the_singular() -> None:
    assert has("Kandji manages each Mac.", ExactName("Macs", "name"))
    assert not has("They use Machines.", ExactName("Macs", "name"))


def test_a_year_is_no_part_of_a_number() -> None:
    assert has("2023 Q3 AMZN.pdf", ExactName("2023", "year"))
    assert not has("It cost 12023 pounds.", ExactName("2023", "year"))


def test_what_no_text_has_is_missing() -> None:
    texts = ["Amazon's net sales rose in 2023."]
    assert [each.text for each in missing("How many drivers did Amazon employ in India in 2023?", texts)] == ["India"]
