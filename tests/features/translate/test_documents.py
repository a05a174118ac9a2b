"""Documents keep their layout, and marks come back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Principal
from mainspring.features.translate import cmd
from mainspring.features.translate.documents.pieces import FORMATS, joined, pieces
from mainspring.features.translate.documents.sentences import aligned, cut, sentences
from mainspring.features.translate.engine.translator import TranslatedText, Translator
from mainspring.features.translate.memory import Remembered, SentenceTranslation
from mainspring.features.translate.placeholders import Masked, between, mask, restore
from mainspring.features.translate.translating import Job, Translating
from mainspring.terminal.remote import Server
from tests.features.translate.tiny import translator

WHO = Principal("acme", "key")
MARKDOWN = """---
title: The house
---
# Save the *document*

The house is red. See [the guide](https://a.example/x?y=1) or `make it`.

- one thing
- [ ] another thing

| Name | Meaning |
|------|---------|
| size | how big |

```python
print("keep me")
```
> He said so.
"""
HTML = '<h1 class="big">Hello you</h1>\n<p>The <b>red</b> house &amp; more.</p><script>var keep = "me";</script>'
SRT = "1\n00:00:01,000 --> 00:00:02,500\nWhere are\nyou going?\n\n2\n00:00:03,000 --> 00:00:04,000\nHome.\n"
JSON = '{"title": "The house", "n": [1, true, "line\\none \\"more\\""], "empty": "", "deep": {"key": "a word"}}'
DOCUMENTS = {"markdown": MARKDOWN, "html": HTML, "srt": SRT, "json": JSON, "text": "One line.\n\n  Another one\r\n"}


class Upper:
    """Says everything in capitals; ``loses`` what is a mark."""

    fingerprint = "upper"
    marks = True

    def __init__(self, *, loses: bool = False) -> None:
        self.loses = loses
        self.seen: list[str] = []

    async def translate(self, texts: Sequence[str], source: str, target: str) -> list[TranslatedText]:
        self.seen += texts
        upper = [each.upper().replace("<P", "<p") for each in texts]
        return [TranslatedText(each.replace("<p", "<q") if self.loses else each, 1, 1) for each in upper]


async def translated(document: str, kind: str = "text", *, loses: bool = False, **asked: object) -> str:
    job = Job("en", "fr", kind, **asked)  # type: ignore[arg-type]
    made, _ = await Translating(Remembered(0, 0), None).translate(document, job, Upper(loses=loses), WHO)
    return made


@pytest.mark.parametrize("kind", FORMATS)
def test_the_pieces_of_a_document_join_to_it(kind: str) -> None:
    found = pieces(DOCUMENTS[kind], kind)
    assert joined(found, [each.text for each in found if each.say]) == DOCUMENTS[kind]
    assert any(each.say for each in found)


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet="ab .\n\t#->|`*<i/>{}[]()1:,\r\u2028\x85", max_size=80),
    st.sampled_from(("text", "markdown", "html", "srt")),
)
def test_the_pieces_of_any_text_join_to_it(text: str, kind: str) -> None:
    found = pieces(text, kind)
    assert joined(found, [each.text for each in found if each.say]) == text


async def test_markdown_keeps_code_links_tables_and_front_matter() -> None:
    made = await translated(MARKDOWN, "markdown")
    assert "title: The house" in made
    assert "# SAVE THE *DOCUMENT*" in made
    assert "[THE GUIDE](https://a.example/x?y=1)" in made
    assert "`make it`" in made
    assert 'print("keep me")' in made
    assert "|------|---------|" in made
    assert "| SIZE | HOW BIG |" in made
    assert "- [ ] ANOTHER THING" in made
    assert "> HE SAID SO." in made


async def test_html_keeps_tags_and_scripts_and_entities() -> None:
    made = await translated(HTML, "html")
    assert (
        made
        == '<h1 class="big">HELLO YOU</h1>\n<p>THE <b>RED</b> HOUSE &amp; MORE.</p><script>var keep = "me";</script>'
    )


async def test_subtitles_keep_numbers_and_times() -> None:
    made = await translated(SRT, "srt")
    assert made == SRT.replace("Where are\nyou going?", "WHERE ARE YOU GOING?").replace("Home.", "HOME.")


async def test_json_keeps_keys_and_is_json() -> None:
    made = json.loads(await translated(JSON, "json"))
    assert made == {"title": "THE HOUSE", "n": [1, True, 'LINE\nONE "MORE"'], "empty": "", "deep": {"key": "A WORD"}}


def test_what_is_no_json_is_refused_naming_the_format() -> None:
    with pytest.raises(InvalidRequest, match="not JSON") as caught:
        pieces("{", "json")
    assert caught.value.param == "format"


def test_sentences_end_where_they_end() -> None:
    said = 'Dr. Smith came at 5 p.m. today. He left! Did he? "Yes." No, i.e. never.'
    first = ["Dr. Smith came at 5 p.m. today. ", "He left! ", "Did he? "]
    assert sentences(said) == [*first, '"Yes." ', "No, i.e. never."]
    assert sentences("안녕하세요. 반갑습니다.") == ["안녕하세요. ", "반갑습니다."]


def test_an_edit_of_several_sentences_is_several_pairs() -> None:
    assert aligned("It rains. We\nstay.", "Il pleut. Nous restons.") == [
        ("It rains.", "Il pleut."),
        ("We stay.", "Nous restons."),
    ]
    assert aligned("It rains. We stay.", "Il pleut, nous restons.") == [
        ("It rains. We stay.", "Il pleut, nous restons.")
    ]


def test_edits_become_rows_of_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {
        "source": "It rains. We stay.",
        "target": "Il pleut. Nous restons.",
        "from": "en",
        "to": "fr",
        "domain": "edits",
    }
    pages = iter(
        [{"data": [row], "next": "edit_1"}, {"data": [{**row, "source": "Yes", "target": "Oui"}], "next": None}]
    )
    asked: list[str] = []

    class Remote:
        def call(self, _: str, path: str) -> object:
            asked.append(path)
            return next(pages)

    monkeypatch.setattr(Server, "of", lambda _: Remote())
    done = CliRunner().invoke(cmd.app, ["edits", str(tmp_path / "pairs.jsonl")])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(each["source"], each["target"]) for each in rows] == [
        ("It rains.", "Il pleut."),
        ("We stay.", "Nous restons."),
        ("Yes", "Oui"),
    ]
    assert all(each["from"] == "en" and each["domain"] == "edits" for each in rows)
    assert "after=edit_1" in asked[1]


@given(st.text(max_size=300), st.integers(1, 50))
def test_sentences_and_parts_join(text: str, characters: int) -> None:
    assert "".join(sentences(text)) == text
    parts = cut(text, characters)
    assert "".join(parts) == text
    assert all(len(part) <= characters for part in parts)


@pytest.mark.parametrize(
    "kept",
    ["https://a.example/b?c=d&e=f", "anna.b+c@mail.example.com", "{count}", "{{ name }}", "%(total)s", "${HOME}", "<b>",
     "&nbsp;", "`rm -rf`", "4,200.50", "12:30", "A380", "v1.2.3", "#topic", "@anna", "<p3>", "snake_case", "a/b/c.txt",
     "Anson Burlingame"],
)  # fmt: skip
def test_these_are_kept(kept: str) -> None:
    found = mask(f"we saw {kept} there", {}, names=True)
    assert kept in found.kept
    assert restore(found.text, found) == f"we saw {kept} there"


def test_words_are_not_kept() -> None:
    assert mask("Where did you go on Monday with the well-known man?", {}, names=True).kept == ()
    assert mask("We met Anna.", {}, names=False).kept == ()


def test_a_lost_a_doubled_and_a_strange_mark_are_found() -> None:
    found = Masked("see <p0> and <p1>", ("A", "B"))
    assert restore("<p1> <p0>", found) == "B A"
    for wrong in ("see <p0>", "<p0> <p0> <p1>", "<p0> <p1> <p2>", "<p0><p7>"):
        assert restore(wrong, found) is None
    assert between(found) == ["see ", " and ", ""]


ANY = st.lists(
    st.sampled_from(
        ("the house", "is", "red", "https://a.example/x", "a@b.example", "{n}", "17", "3.5", "`code`", "<p0>", "<b>",
         "<p12>", "Anna Karenina", "%s", "&amp;", "\n", ". ", "#tag", "A1", "🙂", "집", "<q1>")
    ),
    max_size=24,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(ANY, st.booleans())
@example(["<p0>", "https://a.example/x"] * 8, True)
async def test_everything_kept_comes_back_whatever_the_translator_does(words: list[str], loses: bool) -> None:
    text = " ".join(words)
    made = await translated(text, loses=loses)
    for sentence in sentences(" ".join(text.split())):
        for kept in mask(sentence.strip(), {}, names=True).kept:
            assert made.count(kept) >= text.count(kept) or kept in made, (kept, made)


@pytest.fixture(scope="module")
def nonsense(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    return Translator(translator(tmp_path_factory.mktemp("translators") / "tiny"))


@settings(max_examples=40, deadline=None)
@given(ANY)
async def test_a_model_of_nonsense_loses_nothing_either(nonsense: Translator, words: list[str]) -> None:
    text = " ".join(words)
    made, _ = await Translating(Remembered(0, 0), None).translate(text, Job("en", "fr"), nonsense, WHO)
    wanted = ("https://a.example/x", "a@b.example", "{n}", "`code`", "%s", "&amp;", "#tag", "<b>")
    assert {each for each in wanted if each in text} <= {each for each in wanted if each in made}


async def test_a_lost_mark_leads_to_parts_and_is_reported() -> None:
    speaks = Upper(loses=True)
    made, report = await Translating(Remembered(0, 0), None).translate(
        "write to a@b.example today", Job("en", "fr"), speaks, WHO
    )
    assert made == "WRITE TO a@b.example TODAY"
    assert (report.parted, speaks.seen) == (1, ["write to <p0> today", "today", "write to"])


async def test_terms_of_the_glossary_come_as_they_are_translated() -> None:
    assert await translated("Open the Dashboard now.", terms={"dashboard": "tableau de bord"}) == (
        "OPEN THE tableau de bord NOW."
    )


async def test_a_sentence_is_translated_once_and_remembered_by_tenant() -> None:
    translating, speaks = Translating(Remembered(10, 5), None), Upper()
    job = Job("en", "fr")
    await translating.translate("It rains. It rains. We stay.", job, speaks, WHO)
    assert speaks.seen == ["It rains.", "We stay."]
    _, report = await translating.translate("We stay.", job, speaks, WHO)
    assert (report.remembered, len(speaks.seen)) == (1, 2)
    await translating.translate("We stay.", job, speaks, Principal("other", "key"))
    assert len(speaks.seen) == 3


def test_what_is_remembered_is_bounded_by_tenant_and_in_all() -> None:
    remembered = Remembered(3, 2)
    for tenant, key in (("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("b", "2")):
        remembered.keep(tenant, key, SentenceTranslation(key))
    found = [(tenant, key) for tenant in "ab" for key in "123" if remembered.find(tenant, key)]
    assert found == [("a", "3"), ("b", "1"), ("b", "2")]


def test_a_translator_says_the_same_each_time_and_in_any_batch(nonsense: Translator) -> None:
    texts = ["the house is red", "we go", "la maison"]
    together = nonsense.translated(texts, "en", "fr")
    assert together == nonsense.translated(texts, "en", "fr")
    assert together[1] == nonsense.translated(["we go"], "en", "fr")[0]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="not the folder of a translator"):
        Translator(tmp_path)


@pytest.mark.parametrize(
    ("sentence", "translation", "found"),
    [
        ("Open **daily** until 6 pm.", "Abre <p0> cada día <p1> hasta <p2> pm.", "Abre **cada día** hasta 6 pm."),
        ("See [the rules](https://a.example/b) now.", "Ver <p0> las reglas <p1> ya.",
         "Ver [las reglas](https://a.example/b) ya."),
        ("~~No~~ and **yes**.", "<p0> Non <p1> et <p2> oui <p3>.", "~~Non~~ et **oui**."),
        ("2 ** 3 ** 4", "<p0> <p1> <p2> <p3> <p4>", "2 ** 3 ** 4"),
        ("It costs 5 or 6.", "Cuesta <p1> o <p0> .", "Cuesta 6 o 5 ."),
        ("Open **daily** now.", "Abre <p1> cada día <p0> ya.", None),
    ],
)  # fmt: skip
def test_emphasis_and_links_close_without_blanks(sentence: str, translation: str, found: str | None) -> None:
    assert restore(translation, mask(sentence, {}, names=False)) == found
