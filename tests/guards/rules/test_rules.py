"""Rules for answers: their results are the same for pieces of any size, and never change code or quotations."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core.errors import SettingsError
from mainspring.guards.rules.file import DEFAULT, Rules, parse, read
from mainspring.guards.rules.prose_scan import Scan
from mainspring.guards.rules.rewrite import Rewriting

NEUTRAL = read(DEFAULT)
EVERYTHING = parse(
    r"""
terms:
  - {find: chairman, replace: chairperson}
  - {find: [air hostess], replace: flight attendant}
  - {find: actor, replace: performer}
  - {find: super, replace: very, whole: false}
pronouns: they
nsfw: {terms: [damn, damned], action: mask}
patterns:
  - {find: 'ticket \d{3,8}', replace: "[ticket]"}
format: {strip_markdown: true, disclaimer: "No advice."}
""",
    "test",
)


def rewritten(text: str, rules: Rules) -> str:
    part = Rewriting(rules).part()
    return part.push(text) + part.flush()


def streamed(pieces: list[str], rules: Rules) -> str:
    part = Rewriting(rules).part()
    return "".join([*(part.push(piece) for piece in pieces), part.flush()])


TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(
                    "he ",
                    "she ",
                    "her ",
                    "is he ",
                    "He's gone ",
                    "his. ",
                    "walks ",
                    "always ",
                    "and runs ",
                    "an air hostess",
                ),
                *("chairman", "a chairman ", "supers ", "actor-like ", "damned ", "ticket 12345 ", "ticket 1"),
                *(
                    "**bold** ",
                    "[a](http://x.y/he)",
                    "![he](z)",
                    "[1] ",
                    "# Head\n",
                    "> he said\n",
                    '"he is" ',
                    "“she",
                    "”",
                ),
                *(
                    "`he` ",
                    "``",
                    "`",
                    "\n```\n",
                    "\n```py\n",
                    "~~~\n",
                    "\n",
                    ". ",
                    "! ",
                    "...",
                    " ",
                    "*",
                    "_he_ ",
                    "__",
                ),
            ]
        ),
        st.text(alphabet="he sr.\n`\"*_[]()!>~#'", max_size=12),
    ),
    max_size=25,
).map("".join)
RULES = st.sampled_from(
    [
        NEUTRAL,
        EVERYTHING,
        parse("format: {max_sentences: 2}", "t"),
        parse("format: {max_characters: 40}\npronouns: they", "t"),
        parse("format: {max_characters: 120, max_sentences: 3, disclaimer: So.}", "t"),
        parse("pronouns: they\ncode: true\nquotes: true", "t"),
    ]
)


@settings(max_examples=500, deadline=None)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 2000), max_size=20), rules=RULES)
def test_any_pieces_are_rewritten_like_the_whole(text: str, cuts: list[int], rules: Rules) -> None:
    whole = rewritten(text, rules)
    points = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    assert streamed([text[a:b] for a, b in itertools.pairwise(points)], rules) == whole
    assert streamed(list(text), rules) == whole


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_code_and_quotations_stay_as_they_are(text: str) -> None:
    scan = Scan()
    kept = [part for kind, part in [*scan.push(text), *scan.flush()] if kind != "prose"]
    shown = rewritten(text, NEUTRAL)
    at = 0
    for part in kept:
        assert part in shown[at:]
        at = shown.index(part, at) + len(part)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_what_is_prose_or_not_is_all_of_the_text(text: str) -> None:
    scan = Scan()
    assert "".join(part for _, part in [*scan.push(text), *scan.flush()]) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He is late.", "They are late."),
        ("Is she late? She was.", "Are they late? They were."),
        ("She always walks home.", "They always walk home."),
        ("When he or she tries, it works.", "When they try, it works."),
        ("he's gone and she's happy", "they've gone and they're happy"),
        ("He reads and writes.", "They read and write."),
        ("I saw her. I saw her dog. It is his.", "I saw them. I saw their dog. It is theirs."),
        ("Her 5 dogs gave her 5 sticks, and his 3 cats", "Their 5 dogs gave them 5 sticks, and their 3 cats"),
        ("Ask him about himself", "Ask them about themselves"),
        ("HE SAID she'll come", "THEY SAID they'll come"),
        ("he can, he went, he does not, he doesn't", "they can, they went, they do not, they don't"),
        ("the cheese there", "the cheese there"),
        ("http://x.y/he/she and he@x.y", "http://x.y/he/she and he@x.y"),
        ('She said "he is late" to her.', 'They said "he is late" to them.'),
        ("Use `he` here; he is.", "Use `he` here; they are."),
    ],
)
def test_pronouns(text: str, expected: str) -> None:
    assert rewritten(text, parse("pronouns: they", "t")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Chairman spoke.", "The Chairperson spoke."),
        ("an air\nhostess", "a flight attendant"),
        ("A policeman came", "A police officer came"),
        ("a chairmanship", "a chairmanship"),
        ("MANKIND", "HUMANKIND"),
        ("what the fuck", "what the f***"),
        ("scunthorpe", "scunthorpe"),
    ],
)
def test_terms(text: str, expected: str) -> None:
    assert rewritten(text, NEUTRAL) == expected


def test_markdown_becomes_plain_text() -> None:
    rules = parse("format: {strip_markdown: true}", "t")
    text = (
        "# Head\nSome **bold** and *soft* text, see [the page](http://a.b/c) or ![it](x.png).\n```py\n2 * 3\n```\n3 * 4"
    )
    assert rewritten(text, rules) == "Head\nSome bold and soft text, see the page (http://a.b/c) or it.\n2 * 3\n3 * 4"


def test_lengths_and_the_disclaimer() -> None:
    two = parse("format: {max_sentences: 2, disclaimer: Ask a doctor.}", "t")
    assert rewritten("One is. Two is. Three is.", two) == "One is. Two is.\n\nAsk a doctor."
    assert rewritten("One. Ask a doctor.", two) == "One. Ask a doctor."
    assert rewritten("", two) == ""
    assert rewritten("wonderful words " * 9, parse("format: {max_characters: 30}", "t")) == "wonderful words wonderful…"


def test_what_is_verbatim_is_not_rewritten() -> None:
    part = Rewriting(NEUTRAL).part()
    assert part.push("He is. ") + part.verbatim("He is. [1]") + part.push(" He is.") + part.flush() == (
        "They are. He is. [1] They are."
    )


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("patterns: [{find: '(a+)+b', replace: x}]", "more than"),
        ("patterns: [{find: '(a{1,9}){1,9}', replace: x}]", "repetition within"),
        ("patterns: [{find: 'a{0,20}a{0,20}a{0,20}a{0,20}b', replace: x}]", "steps"),
        ("patterns: [{find: 'a(?:){1000000000}', replace: x}]", "repetition of nothing"),
        (r"patterns: [{find: '(a)\1', replace: x}]", "reference"),
        ("patterns: [{find: 'a(?=b)', replace: x}]", "ahead"),
        ("patterns: [{find: 'a*', replace: x}]", "empty"),
        ("patterns: [{find: '(', replace: x}]", "not an expression"),
        ("terms: [{find: '', replace: x}]", "term"),
        ("pronoun: they", "pronoun"),
        ("format: {max_sentences: 0}", "max_sentences"),
        ("[]", "holds no rules"),
        ("a: [", "YAML"),
    ],
)
def test_files_that_are_wrong_say_where(source: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        parse(source, "my.yaml")


def test_the_version_changes_with_what_a_file_says() -> None:
    assert parse("pronouns: they", "a").version == parse("pronouns: they # a comment", "b").version
    assert parse("pronouns: they", "a").version != parse("pronouns: off", "a").version


def test_work_is_linear_in_the_length_of_a_text() -> None:
    def seconds(text: str) -> float:
        # Of this thread: others may have the cores meanwhile.
        begin = time.thread_time()
        streamed([text[at : at + 4] for at in range(0, len(text), 4)], EVERYTHING)
        return time.thread_time() - begin

    for text in ("he is ", "[", "![a](", "`", '"', "ticket 1", "a" * 40, "* "):
        seconds(text * 200)
        short, long = (min(seconds(text * times) for _ in range(3)) for times in (400, 1600))
        assert long < 12 * short, text
