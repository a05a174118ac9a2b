"""What a written sentence may say about its source, and what it may not."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.write import claims

ENGRAVED = "Engraved goods and made-to-order sleeves cannot be returned unless they are faulty."
RANGE = "Stoves with serial numbers CS19-0400 to CS19-1275 were recalled."


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("You have 45 days to return it.", "Grinders, unused, to return: online UK 45 days"),
        ("You have thirty days to return it.", "Return it within 30 days."),
        ("It was released on March 3, 2021.", "Released on 3 March 2021."),
        ("It was released on 3 March 2021.", "It was released 2021-03-03."),
        ("Revenue was $3.2 million.", "Revenue (in millions) | 2019: $3.2"),
        ("The fee is 3 pounds.", "The fee is £3."),
        ("You get one week of holiday.", "You get 7 days of holiday."),
        ("Members get two months.", "Members get 2 months; others one."),
        ("One of the owners is Ann.", "The owners are Ann and Bea."),
        ("The serial numbers are CS19-0400 to CS19-1275.", RANGE),
        ("The facilities coordinator is Wilf Amery.", "The facilities coordinator, Wilf Amery, checks it."),
        ("Engraved goods cannot be returned unless they are faulty.", ENGRAVED),
        ("A receipt is not needed.", "Bring it back. A receipt is not needed."),
        ("Sales increased by 5%.", "Sales increased by 5% and costs fell by 2%."),
    ],
)
def test_what_stands_in_the_source_passes(sentence: str, source: str) -> None:
    assert claims.problems(sentence, source) == []


@pytest.mark.parametrize(
    ("sentence", "source", "kind"),
    [
        ("You have 54 days to return it.", "Return it within 45 days.", "number"),
        ("You have fifty days to return it.", "Return it within 45 days.", "number"),
        ("Revenue was $3.2 billion.", "Revenue was $3.2 million in 2019.", "number"),
        ("The body is free for 8 years.", "The body is free for 8 months.", "unit"),
        ("You can keep films for 2 weeks.", "Films are picked up twice a month.", "unit"),
        ("Return it within 30 working days.", "Return it within 30 days.", "unit"),
        ("The fee is 3 euros.", "The fee is £3.", "unit"),
        ("It was released on March 4, 2021.", "Released on 3 March 2021.", "date"),
        ("The serial numbers are CS19-0401.", RANGE, "name"),
        ("The coordinator is Wilf Smith.", "The coordinator, Wilf Amery, checks it.", "name"),
        ("They were made in Munich.", "They were made in Leeds.", "name"),
        ("Engraved goods can be returned.", ENGRAVED, "negation"),
        ("You do not need a receipt.", "You need a receipt.", "negation"),
        ("Yes, you can bring your dog.", "You cannot bring your dog.", "negation"),
        ("The Cinder does not come in green.", "The Cinder is a stove. It does not burn wood.", "negation"),
        ("Sales fell by 5%.", "Sales increased by 5%.", "turned"),
        ("Ask at least 2 weeks before.", "Ask at most 2 weeks before.", "turned"),
        ("You may take 6 weeks unpaid.", "You may take 6 weeks at full pay.", "turned"),
        ("The Cinder does not come in green.", "The Cinder comes with a flame no wider than pans.", "negation"),
        ("No heron comes in green.", "The Cinder is a stove.", "negation"),
        ("Elephants sing opera loudly.", "Return it within 45 days.", "words"),
    ],
)
def test_what_does_not_stand_there_is_found(sentence: str, source: str, kind: str) -> None:
    assert kind in [problem.kind for problem in claims.problems(sentence, source)]


def test_names_may_stand_in_the_headings_around_a_source() -> None:
    sentence, source = "The Kestrel grinds 18 g in 45 seconds.", "Grinding time: 45 seconds for 18 g"
    assert [problem.text for problem in claims.problems(sentence, source, "How fast does it grind?")] == ["Kestrel"]
    assert claims.problems(sentence, source, "How fast does it grind?", "Kestrel Hand Grinder") == []


def test_a_number_of_the_question_must_stand_in_the_source_too() -> None:
    (problem,) = claims.problems("A 4 kg parcel costs 47.15.", "Parcel to 5 kg: 47.15", "What does a 4 kg parcel cost?")
    assert (problem.kind, problem.text) == ("number", "4")


def test_of_a_translated_sentence_numbers_are_compared() -> None:
    source = "You can return it within 45 days."
    assert claims.problems("Puede devolverlo en 45 días.", source, translated=True) == []
    assert claims.problems("Puede devolverlo en 54 días.", source, translated=True) != []


@pytest.mark.parametrize(
    ("yes", "question", "source", "agrees"),
    [
        (True, "Can dogs come in?", "Dogs may come in.", True),
        (True, "Can dogs come in?", "Dogs cannot come in.", False),
        (False, "Can dogs come in?", "Dogs cannot come in.", True),
        (False, "Can dogs come in?", "Dogs may come in.", False),
        (False, "Can dogs come in?", "Dogs may come in only on a lead.", True),
    ],
)
def test_a_yes_goes_with_the_polarity_of_its_source(yes: bool, question: str, source: str, agrees: bool) -> None:
    assert claims.agrees(yes, question, source) is agrees


def test_what_opens_a_sentence() -> None:
    assert claims.opening("Yes, they may.") == (True, "they may.")
    assert claims.opening("No. They stay outside.") == (False, "They stay outside.")
    assert claims.opening("No receipt is needed.") == (None, "No receipt is needed.")


def test_a_rare_word_of_the_question_must_stand_in_the_source() -> None:
    question = "How do I turn on brotli compression?"
    sentence, source = "To turn on brotli compression, use the -C option.", "The -C option sets the compression."
    assert claims.problems(sentence, source, question) == []
    (problem,) = claims.problems(sentence, source, question, rare=lambda word: word == "brotli")
    assert (problem.kind, problem.text) == ("name", "brotli")
    assert claims.problems(sentence, f"{source} Brotli too.", question, rare=lambda word: word == "brotli") == []


def test_the_name_of_a_document_may_be_written_in_one_word() -> None:
    question = "How many days of leave do Made Tech people have?"
    sentence, source = "At Made Tech you have 38 days of leave.", "All team members have 38 days of leave."
    found = claims.problems(sentence, source, question, least=0.0)
    assert [problem.text for problem in found] == ["Made", "Tech"]
    assert claims.problems(sentence, source, question, "madetech/benefits/holiday.md", least=0.0) == []


def test_what_a_sentence_has_from_the_question_alone_is_not_borne_out() -> None:
    question = "Up to what age is the metal body of the press repaired for free?"
    sentence = "The metal body of the press is repaired for free up to 25 minutes."
    (problem,) = claims.problems(sentence, "Pour the coffee out of the press within 25 minutes.", question)
    assert problem.kind == "words"
