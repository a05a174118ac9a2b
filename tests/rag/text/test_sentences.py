"""Sentences: their ends, their kinds and their offsets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.rag.text.sentences import split

PIECES = [
    "Mr. ",
    "3.14 ",
    "word ",
    "End. ",
    "Why? ",
    "\n",
    "\n\n",
    "# ",
    "- ",
    "| a | b |\n",
    "e.g. ",
    "(x) ",
    "```\n",
    "```sh\n",
    "=====\n",
    "é。",
    '"',
    "1. ",
]


def texts(text: str) -> list[str]:
    return [text[one.start : one.end] for one in split(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith paid 3.14 dollars to J. R. Tolkien in the U.S. Army.",
        "See Fig. 3 and No. 5, e.g. Paris.",
        "Larkfield Supply Co. sells gear, etc. and more.",
        "Version 2.3.1 was released on www.example.org today.",
        "It costs £3.50 (incl. VAT) at 5 p.m. every day.",
        "J. K. Rowling and É. Zola met Mr. and Mrs. Brown vs. the State of N.Y. in a case.",
        "See https://example.org/a.b?c=d.e for more, et al. (2020), pp. 3-4 and vol. 2.",
        "Wait . . . what?",
        "Hmm… maybe not... or so.",
        "Yahoo! is a company.",
        "The price is 1.000,50 euros, approx. 4.5% more than on Jan. 5, 2024.",
        "El Sr. López y la Sra. Díaz llegaron.",
        "Das kostet z. B. am 3. Oktober ca. 3,50 €, vgl. Nr. 5.",
        "А. С. Пушкин родился в 1799 г. в Москве, т. е. давно.",
        "「行きますか？」と彼は言った。",
        "圆周率是３．１４左右。",
    ],
)
def test_a_point_within_a_sentence_does_not_end_it(text: str) -> None:
    assert texts(text) == [text]


def test_the_area_of_a_telephone_number_is_no_mark_of_an_item() -> None:
    lines = ["(701) 461-2232 (collect calls)", "(904)  954 7850", "Call either."]
    assert texts("\n\n".join(lines)) == lines
    assert texts("(701) 461 people came.\n(2) Others did not.") == ["461 people came.", "Others did not."]


def test_ends_of_sentences() -> None:
    text = 'He left. "Really?" she asked. Stop! 5 came... Then more. (Aside.) Last'
    assert texts(text) == [
        "He left.",
        '"Really?" she asked.',
        "Stop!",
        "5 came...",
        "Then more.",
        "(Aside.)",
        "Last",
    ]


@pytest.mark.parametrize(
    "sentences",
    [
        ["The answer is no.", "Five are dead.", "No. 5 is alive."],
        ["I saw modern art.", "The museum closed."],
        ["He has a Ph.D.", "She has an M.A.", "Both work in the U.S.", "It is hot."],
        ["I like Vitamin C.", "It is good.", "There is no plan B.", "Nothing else."],
        ["Sales rose.", "iPhones led.", "eBay did not."],
        ["It ended in 1999.", "2000 was better.", "She turned 5.", "Now she is 6."],
        ["“Why?”", "He shrugged.", "(It failed.)", "Next!", "Really?!", "Yes."],
        ["See Fig. 3 in main.py.", "Run foo.bar() now.", "www.example.org is down."],
    ],
)
def test_hard_english(sentences: list[str]) -> None:
    assert texts(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    ("sentences", "between"),
    [
        (["今天天气很好。", "我们去公园！", "你去吗？", "他说:“你好。”", "然后走了。"], ""),
        (["彼は「はい。」と言った。", "そして帰った。", "終わり｡", "次"], ""),
        (["你好!", "我很好?", "好"], ""),
        (["यह एक वाक्य है।", "यह दूसरा है॥", "क्या यह तीसरा है?", "हाँ।"], " "),
        (["هذا كتاب.", "هل هذا قلم؟", "نعم، هو قلم!", "شكرا"], " "),
        (["یہ کتاب ہے۔", "وہ قلم ہے۔"], " "),
        (["¿Cómo estás?", "¡Muy bien!", "¿Y tú?"], " "),
        (["Est-ce vrai ?", "Oui !", "M. Dupont est là."], " "),
        (["ይህ ነው።", "ያ ነው።"], " "),
        (["Սա գիրք է։", "Ոչ։"], " "),
    ],
)
def test_other_scripts(sentences: list[str], between: str) -> None:
    assert texts(between.join(sentences)) == sentences


def test_wrapped_lines_are_one_sentence_and_blank_lines_separate() -> None:
    assert texts("one line\ngoes on.\n\nNext") == ["one line\ngoes on.", "Next"]


def test_kinds_and_leads() -> None:
    text = "## Title\n- item one: do it. Then rest.\n- two\n\n| A: 1 | B: 2 |\n|---|---|\nProse."
    found = [(text[one.start : one.end], one.kind, text[one.lead : one.start]) for one in split(text)]
    assert found == [
        ("Title", "heading", "## "),
        ("item one: do it. Then rest.", "item", "- "),
        ("two", "item", "- "),
        ("A: 1 | B: 2", "row", "| "),
        ("Prose.", "sentence", ""),
    ]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=200))
def test_sentences_are_ordered_trimmed_spans(text: str) -> None:
    end = 0
    for one in split(text):
        assert end <= one.lead <= one.start < one.end <= len(text)
        body = text[one.start : one.end]
        assert body == body.strip()
        end = one.end


def test_a_huge_line_is_split_in_linear_time() -> None:
    assert len(split("ab. " * 200_000 + "Bcd. " * 1000)) > 900
    assert len(split("x" * 3_000_000)) == 1


def test_an_item_is_whole_with_its_wrapped_lines_and_its_indented_paragraphs() -> None:
    text = "- One. It goes\n  on here. Twice.\n\n  A second paragraph.\n\n- Two.\n\nProse. More."
    assert texts(text) == [
        "One. It goes\n  on here. Twice.\n\n  A second paragraph.",
        "Two.",
        "Prose.",
        "More.",
    ]


def test_a_long_item_is_reported_sentence_by_sentence() -> None:
    sentence = "This clause of the long item says what it says. "
    found = split(f"- {sentence * 20}\n\n  {sentence * 20}")
    assert len(found) == 40
    assert found[0].kind == "item"


def test_code_is_one_unit_between_its_fences() -> None:
    text = "Run this:\n\n```python\nx = 1\n\n# a comment. Not a heading\n- y\n```\nThen stop."
    found = [(text[one.start : one.end], one.kind, text[one.lead : one.start]) for one in split(text)]
    assert found == [
        ("Run this:", "sentence", ""),
        ("x = 1\n\n# a comment. Not a heading\n- y", "code", "```python\n"),
        ("Then stop.", "sentence", ""),
    ]


def test_long_code_is_parted_between_functions() -> None:
    function = "def f():\n    return 1\n\n    # deep\n"
    found = split("```\n" + "\n".join([function] * 60) + "```\n")
    assert len(found) == 60
    assert {one.kind for one in found} == {"code"}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("foo(bar);\nx = y;\n```\n\nThen it is done. All of it.", ["code", "sentence", "sentence"]),
        ("Do this now.\n\n```\nfoo(bar);\nx = y;", ["sentence", "code"]),
        ("Do this now.\n\n```sh\nfoo\n```\nSo.\n```sh\nbar", ["sentence", "code", "sentence", "code"]),
        ("foo\n```\nSo it is.\n```sh\nbar\n```", ["code", "sentence", "code"]),
    ],
)
def test_a_part_of_a_document_may_begin_or_end_within_code(text: str, kinds: list[str]) -> None:
    assert [one.kind for one in split(text)] == kinds


def test_an_underlined_title_is_a_heading() -> None:
    assert [one.kind for one in split("the title\n=========\n\nProse that is not\none\n---")] == ["heading", "sentence"]


def test_yes_or_no_is_shown_with_its_next_sentence() -> None:
    text = "Yes. Once a year, for three months. Write to us."
    assert [text[each.start : each.end] for each in split(text)] == [
        "Yes. Once a year, for three months.",
        "Write to us.",
    ]
