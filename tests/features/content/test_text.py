"""The parts of articles that need neither a model nor a store: overlap, readability, plans, drafts, exports."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from docx import Document

from mainspring.core.errors import InvalidRequest
from mainspring.features.content.export.docx import docx
from mainspring.features.content.export.html import html
from mainspring.features.content.export.markdown import markdown
from mainspring.features.content.text.article import (
    Article,
    Brief,
    Evidence,
    Findings,
    Note,
    Paragraph,
    Section,
    Source,
    Statement,
    dump,
    read,
)
from mainspring.features.content.text.overlap import overlaps, runs, shares
from mainspring.features.content.text.readable import fit, shown
from mainspring.features.content.write.draft import Assembler
from mainspring.features.content.write.plan import clean_heading, of_headings
from mainspring.features.content.write.seo import DESCRIPTION, TITLE, seo, slug, structured
from mainspring.rag.search.hit import Hit

DOCUMENT = Source("document", "doc_1", "bikes.md", "handbook", "vs_1", "file_1")
OTHER = Source("document", "doc_2", "tyres.md", "handbook", "vs_1", "file_2")


def hit(text: str, heading: str, score: float, document: str = "doc_1", start: int = 0) -> Hit:
    end = start + len(text)
    return Hit(
        f"c{start}", document, "vs_1", f"{document}.md", text, start, end, None, heading, score, score, None, 1, 1, "b"
    )


def note(text: str, start: int, score: float = 1.0, source: Source = DOCUMENT, **more: Any) -> Note:
    return Note(source, text, start, start + len(text), score=score, **more)


def article(**more: Any) -> Article:
    statements = (
        Statement("The frame lasts ten years & more.", "supported", (0,)),
        Statement("It flies <script>alert(1)</script>.", "struck", (), 0.0, '"flies" is not in the source'),
        Statement("Tyres *wear* faster.", "marked", (), 0.2, "no source says anything close to it"),
    )
    items = Paragraph((Statement("Oil the chain.", "verbatim", (1,)),), "list", "Every month:")
    section = Section("Care <b>", (Paragraph(statements), items), ("How long?",), ("What does it weigh?",))
    web = Source("web", "https://example.org/a", "A page", url="https://example.org/a?x=1&y=2")
    evil = Source("web", "javascript:alert(1)", "Bad", url="javascript:alert(1)")
    evidence = (Evidence(1, "The frame lasts ten years.", 0, 26), Evidence(2, "Oil the chain.", 5, 19))
    made = Article("Bikes & <i>more</i>", (section,), (DOCUMENT, web, evil), evidence, "written", "large")
    return Article(**{**{name: getattr(made, name) for name in Article.__dataclass_fields__}, **more})


def test_a_run_of_words_is_found_whatever_its_case_and_marks() -> None:
    source = "Once upon a time, the QUICK brown fox jumped over the lazy dog; nobody saw it."
    text = "We know that the quick, brown fox jumped over the lazy dog today."
    (found,) = runs(text, source, 6)
    assert (found.words, text[found.start : found.end]) == (9, "the quick, brown fox jumped over the lazy dog")
    assert runs(text, source, 10) == []


def test_runs_are_those_that_a_plain_comparison_finds() -> None:
    chance = random.Random(7)
    for _ in range(30):
        source = [chance.choice("abc") for _ in range(60)]
        text = [chance.choice("abc") for _ in range(40)]
        at = chance.randrange(20)
        text[5:17] = source[at : at + 12]
        found = runs(" ".join(text), " ".join(source), 8)
        longest = max(
            length
            for i in range(len(text))
            for j in range(len(source))
            for length in [next((n for n in range(60) if text[i + n : i + n + 1] != source[j + n : j + n + 1]), 0)]
        )
        assert longest >= 12
        assert found
        assert all(each.words >= 8 for each in found)
        covered = " ".join(text)
        assert all(covered[each.start : each.end] in " ".join(source) for each in found)


def test_what_is_cited_is_distinguished_from_what_is_copied() -> None:
    said = "one two three four five six seven eight nine ten eleven twelve"
    copied = overlaps([(said, frozenset({2}))], {1: f"zero {said} end", 2: "something else"}, 8)
    assert [(each.source, each.words, each.attributed) for each in copied] == [(1, 12, False)]
    assert overlaps([(said, frozenset({1}))], {1: said}, 8)[0].attributed
    assert shares([(said, frozenset())], {1: said + " and as many words that the article lacks by far"}, 8)[1] > 0.5


@pytest.mark.parametrize(
    ("text", "kind", "lead", "may"),
    [
        ("The warranty of the frame lasts ten years.", "sentence", "", True),
        ("It lasts ten years in all of these cases.", "sentence", "", False),
        ("It lasts ten years in all of these cases.", "sentence", "The frame has a warranty of its own.", True),
        ("See section 4 for what the warranty covers.", "sentence", "", False),
        ("How long does the warranty of a frame last?", "sentence", "", False),
        ("there are five kinds of frames in the shop.", "sentence", "", False),
        ("There are five kinds of frames in the shop.", "sentence", "", True),
        ("a bell", "item", "", False),
        ("a bell", "item", "Each bike has these:", True),
        ("a bell", "item", "Thus:", False),
        ("print('the frame lasts for ten years')", "code", "", False),
        ("As described above, the frame lasts ten years.", "sentence", "", False),
    ],
)
def test_what_may_stand_by_itself(text: str, kind: str, lead: str, may: bool) -> None:
    assert fit(text, kind, lead) is may


def test_marks_of_other_texts_are_not_shown() -> None:
    assert (
        shown("The **frame** lasts [ten\nyears](https://x.org/a_(b)) and more.[3]")
        == "The frame lasts ten years and more."
    )


def test_a_plan_has_the_headings_above_the_topic_in_the_order_of_their_document() -> None:
    hits = [
        hit("Tyres wear.", "Bikes > 3. Tyres", 0.9, start=300),
        hit("Frames last.", "Bikes > 2. Frames", 0.8, start=200),
        hit("Frames again.", "Bikes > 2. Frames", 0.7, start=250),
        hit("Nothing much.", "Pumps > Introduction", 0.85, "doc_2"),
        hit("Far away.", "Bikes > History", 0.1, start=900),
    ]
    plan = of_headings(Brief("care of bikes", length="short"), hits)
    assert [each.heading for each in plan.sections] == ["Frames", "Tyres", "Pumps"]
    assert plan.sections[0].questions == ("care of bikes: Frames",)


def test_questions_of_the_brief_come_first_and_nothing_else_is_no_plan() -> None:
    brief = Brief("bikes", questions=("how long do frames last?",))
    plan = of_headings(brief, [])
    assert [(each.heading, each.questions[0]) for each in plan.sections] == [
        ("How long do frames last?", "how long do frames last?")
    ]
    with pytest.raises(InvalidRequest):
        of_headings(Brief("bikes"), [])


def test_a_question_that_names_nothing_is_asked_of_the_topic() -> None:
    questions = ("How long do I have?", "What does the label cost?", "How long are grinders in use?")
    plan = of_headings(Brief("Returning a grinder", questions=questions), [])
    assert [(each.heading, each.questions[0]) for each in plan.sections] == [
        ("How long do I have?", "Returning a grinder: How long do I have?"),
        ("What does the label cost?", "What does the label cost?"),
        ("How long are grinders in use?", "How long are grinders in use?"),
    ]


def test_headings_lose_numbers_and_plain_words() -> None:
    assert clean_heading("Handbook > 4.2 Carrying over") == "Carrying over"
    assert clean_heading("Handbook > Introduction") == "Handbook"
    assert clean_heading("Overview") == ""


def test_a_paragraph_is_of_one_place_and_in_its_order() -> None:
    found = Findings(
        "how?",
        (
            note("Second, the chain is oiled every month.", 60, 0.9),
            note("Tyres are pumped up to four bars.", 0, 0.8, OTHER),
            note("The chain of a bicycle is cleaned first.", 10, 0.7),
        ),
        1.0,
    )
    made = Assembler().section("Care", [found], 100, 0.3)
    texts = [[each.text for each in part.statements] for part in made.paragraphs]
    assert texts == [
        ["The chain of a bicycle is cleaned first.", "Second, the chain is oiled every month."],
        ["Tyres are pumped up to four bars."],
    ]


def test_nothing_is_said_twice_in_an_article() -> None:
    assembler = Assembler()
    one = Findings("a", (note("The frame of each bicycle lasts ten years.", 0),), 1.0)
    other = Findings("b", (note("Each bicycle frame lasts for ten years.", 90, source=OTHER),), 1.0)
    assert assembler.section("One", [one], 100, 0.3).paragraphs
    assert not assembler.section("Two", [other], 100, 0.3).paragraphs


def test_a_question_without_evidence_is_reported_and_not_answered() -> None:
    found = Findings("what about whales?", (note("The frame lasts ten years.", 0),), 0.1)
    made = Assembler().section("Whales", [found], 100, 0.3)
    assert (made.paragraphs, made.missing) == ((), ("what about whales?",))


def test_exports_show_what_is_shown_and_escape_it() -> None:
    made = article()
    text = markdown(made)
    assert "flies" not in text
    assert "Tyres \\*wear\\* faster. [unsupported]" in text
    assert "The frame lasts ten years & more. [1]" in text
    assert "- Oil the chain. [2]" in text
    assert "The sources do not say: What does it weigh?" in text
    page = html(made, 0.0)
    assert "<script>alert" not in page
    assert "javascript:" not in page.replace('"javascript:alert(1)"', "")
    assert 'href="javascript' not in page
    assert '<a href="#source-1">[1]</a>' in page
    assert "Care &lt;b&gt;" in page
    lines = [each.text for each in Document(io.BytesIO(docx(made, 0.0))).paragraphs]
    assert "The frame lasts ten years & more.[1] Tyres *wear* faster. [unsupported]" in lines
    assert "[2] A page. https://example.org/a?x=1&y=2" in lines
    assert not any("flies" in line for line in lines)


def test_fields_for_search_engines_keep_their_lengths_and_are_borne_out() -> None:
    made = article(title="A very long title about bicycles and their care that goes on and on for ever")
    found = seo(made, Brief("bikes", keywords=("frame", "whale")))
    assert len(found.title) <= TITLE
    assert len(found.description) <= DESCRIPTION
    assert found.keywords[0] == "frame"
    assert any("whale" in each for each in found.problems)
    lie = {
        "title": "The frame lasts ninety years",
        "description": "The frame lasts ninety years and costs 900 dollars.",
    }
    assert "ninety" not in seo(made, Brief("bikes"), lie).title
    assert structured(made, 0.0)["citation"][1]["url"] == "https://example.org/a?x=1&y=2"
    assert slug("Ärger, Straße & Co. 2!") == "arger-strasse-co-2"


def test_an_article_is_the_same_after_it_was_stored() -> None:
    made = article()
    assert read(Article, dump(made)) == made
