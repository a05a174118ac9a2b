"""What kind of answer a question wishes for."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.write.answer_form import Wish, subject, wish


@pytest.mark.parametrize(
    ("question", "wished"),
    [
        ("Can I bring my dog?", Wish("yes_no")),
        ("Does the warranty cover cafes?", Wish("yes_no")),
        ("Can you explain how returns work?", Wish()),
        ("How many days of holiday do I get?", Wish()),
        ("Who carries parcels in France?", Wish()),
        ("When do I have to be in the office together with my team?", Wish()),
        ("How does Python differ from Java?", Wish("comparison")),
        ("What's the difference between the Cinder and the Kestrel?", Wish("comparison")),
        ("Which is cheaper, the hand grinder or the press?", Wish("comparison")),
        ("Summarise the returns policy", Wish("summary")),
        ("What is the privacy notice about?", Wish("summary")),
        ("How much more does express cost than standard?", Wish("arithmetic")),
        ("What do 3 nights cost in total?", Wish("arithmetic")),
        ("Explain the warranty in simple terms", Wish(simple=True)),
        ("How long is the warranty? Answer in Spanish.", Wish(language="es")),
        ("Wie lange habe ich Zeit, um das zurückzugeben?", Wish(language="de")),
        ("How long is the warranty?\nSummarise the returns policy", Wish("summary")),
        ("Which courses are taught in German?", Wish()),
        ("Can I simply return it?", Wish("yes_no")),
        ("Explain simply how returns work", Wish(simple=True)),
        ("How long is it?\nCan you say that in French, please?", Wish(language="fr")),
        ("Is express cheaper than standard?\nIn simple terms, please.", Wish("yes_no", simple=True)),
    ],
)
def test_wishes(question: str, wished: Wish) -> None:
    assert wish(question) == wished


def test_what_is_searched_for_is_without_the_words_about_the_answer() -> None:
    assert subject("How long is the warranty? Answer in Spanish.") == "How long is the warranty?"
    assert subject("Explain the warranty in simple terms") == "Explain the warranty"
    assert subject("Explain the warranty in German, please.") == "Explain the warranty"
    assert subject("Which courses are taught in German?") == "Which courses are taught in German?"
    assert subject("Summarise the returns policy") == "the returns policy"
    assert subject("Can you give me a short overview of the refunds?") == "the refunds?"
    assert subject("Summarise it") == "Summarise it"
    assert subject("How long is the warranty?") == "How long is the warranty?"
