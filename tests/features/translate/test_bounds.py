"""However a text is made, reading it takes as much longer as it is longer, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, Overloaded
from mainspring.core.fair.lane import LANE
from mainspring.core.types import Principal
from mainspring.features.translate import assistant, languages, translating
from mainspring.features.translate.assistant import TranslationAssistant
from mainspring.features.translate.documents.pieces import pieces
from mainspring.features.translate.documents.sentences import cut, sentences
from mainspring.features.translate.engine.card import Card
from mainspring.features.translate.engine.translator import TranslatedText, Translator
from mainspring.features.translate.languages import Guess
from mainspring.features.translate.memory import Remembered, SentenceTranslation
from mainspring.features.translate.placeholders import mask, masks
from mainspring.features.translate.routes import TranslateBody
from mainspring.features.translate.settings import TranslateSettings
from mainspring.features.translate.text_threads import Aside
from mainspring.features.translate.translating import Job, Translating
from tests.features.translate.tiny import translator

WHO = Principal("acme", "key")
SHORT, LONG = 4_000, 32_000
MOST = 20
"""A text eight times as long takes eight times as long, or 64 times where work is quadratic."""


def _took(work: Callable[[str], Any], text: str) -> float:
    began = time.thread_time()
    work(text)
    return time.thread_time() - began


def assert_linear(work: Callable[[str], Any], part: str, end: str = "") -> None:
    def text(length: int) -> str:
        return part * (length // len(part)) + end

    # A ratio within one run, and the least of several: others use the cores, too.
    short = min(_took(work, text(SHORT)) for _ in range(7))
    ratios = [_took(work, text(LONG)) / short]
    while ratios[-1] > MOST and len(ratios) < 4:
        ratios.append(_took(work, text(LONG)) / short)
    assert min(ratios) < MOST


@pytest.mark.parametrize("part", [".", "。", "...)", "a. ", "J. ", "Mr. "])
def test_sentences_take_linear_time(part: str) -> None:
    assert_linear(sentences, part, "a")


@pytest.mark.parametrize(
    "part", ["<!--", "<script ", "<![CDATA[", "<svg>", "</pre ", "<a ", "<pre></pre", "<!--<script>", "<p>a"]
)
def test_html_takes_linear_time(part: str) -> None:
    assert_linear(lambda text: pieces(text, "html"), part)


def test_json_takes_linear_time() -> None:
    assert_linear(lambda text: pieces(f"[{text}0]", "json"), '"a",')


@pytest.mark.parametrize("part", ["a" * 60 + "\n", "- ", " ", "#", "|a", "```\n"])
def test_markdown_takes_linear_time(part: str) -> None:
    assert_linear(lambda text: pieces(text, "markdown"), part, "x")


@pytest.mark.parametrize("part", ["a", "a:", "<a", "{a", "`a"])
def test_what_is_no_language_is_found_in_linear_time(part: str) -> None:
    assert_linear(lambda text: languages._NOISE.sub(" ", text), part)


@pytest.mark.parametrize("part", ["a", "a-", "A-", "[", "`", "a.", "](", "a_"])
def test_marks_take_linear_time(part: str) -> None:
    assert_linear(lambda text: masks(cut(text, 400), {"dash board": "x"}, names=True), part)


def test_what_a_tenant_has_remembered_takes_no_longer_where_others_have_more() -> None:
    def took(others: int) -> float:
        remembered = Remembered(2 * others, 10)
        for number in range(others):
            remembered.keep(f"other {number // 10}", str(number), SentenceTranslation("x"))

        def fill(_: str) -> None:
            for number in range(500):
                remembered.keep("acme", str(number), SentenceTranslation("x"))

        least = min(_took(fill, "") for _ in range(5))
        assert len(remembered) == others + 10
        return least

    assert min(took(20_000) / took(100) for _ in range(3)) < MOST


def test_what_is_remembered_goes_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    remembered = Remembered(10, 10, 60.0)
    remembered.keep("acme", "a", SentenceTranslation("x"))
    now[0] += 30
    remembered.keep("acme", "b", SentenceTranslation("y"))
    assert remembered.find("acme", "a") == SentenceTranslation("x")
    now[0] += 31
    assert (remembered.find("acme", "a"), remembered.find("acme", "b")) == (None, SentenceTranslation("y"))
    now[0] += 60
    remembered.tidy()
    assert len(remembered) == 0


class Echo:
    fingerprint = "echo"
    marks = True

    async def translate(self, texts: Sequence[str], source: str, target: str) -> list[TranslatedText]:
        return [TranslatedText(each, 1, 1) for each in texts]


async def test_texts_are_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[str, int] = {}

    def noting(module: Any, name: str) -> None:
        work = getattr(module, name)

        def noted(*given: Any, **also: Any) -> Any:
            threads[name] = threading.get_ident()
            return work(*given, **also)

        monkeypatch.setattr(module, name, noted)

    for name in ("pieces", "sentences", "cut", "masks", "digest", "joined"):
        noting(translating, name)
    made, _ = await Translating(Remembered(9, 9), None).translate("One. Two.", Job("en", "fr"), Echo(), WHO)
    assert made == "One. Two."
    assert set(threads) == {"pieces", "sentences", "cut", "masks", "digest", "joined"}
    names = ("pieces", "sentences", "cut", "masks", "joined")
    assert threading.get_ident() not in {threads[each] for each in names}
    monkeypatch.setattr(assistant, "detect", lambda *_: [Guess("en", 1.0)])
    noting(assistant, "detect")
    no: Any = None
    nothing = TranslationAssistant(TranslateSettings(), no, no, {}, Aside())

    async def none_known(_: Principal) -> dict[str, Card]:
        return {}

    monkeypatch.setattr(nothing, "visible", none_known)
    await nothing.guesses("One", WHO)
    assert threads["detect"] not in {0, threading.get_ident()}


async def test_too_many_texts_that_wait_are_refused_and_what_has_begun_goes_on() -> None:
    aside, go_on = Aside(1), threading.Event()
    first = asyncio.create_task(aside(go_on.wait))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="texts of this tenant wait"):
        await aside(lambda: None)
    second = asyncio.create_task(aside(lambda: "done", begun=True))
    await asyncio.sleep(0)
    go_on.set()
    assert (await first, await second) == (True, "done")
    assert await aside(lambda: "again") == "again"


async def test_texts_of_one_tenant_do_not_fill_the_line_of_another() -> None:
    aside, go_on = Aside(2), threading.Event()

    async def of(tenant: str, work: Any) -> Any:
        LANE.set(tenant)
        return await aside(work)

    loud = [asyncio.create_task(of("loud", go_on.wait)) for _ in range(3)]
    quiet = asyncio.create_task(of("quiet", lambda: "read"))
    await asyncio.sleep(0)
    go_on.set()
    assert await quiet == "read"
    assert [type(each) for each in await asyncio.gather(*loud, return_exceptions=True)] == [bool, bool, Overloaded]


async def test_a_long_translation_lets_others_sentences_in_between(tmp_path: Path) -> None:
    model, order, go_on = Translator(translator(tmp_path / "tiny")), list[str](), threading.Event()
    work = model.translated

    def noted(sentences: Sequence[str], source: str, target: str) -> list[TranslatedText]:
        go_on.wait()
        order.append("quiet" if sentences == ["One"] else "loud")
        assert len(sentences) <= 16
        return work(sentences, source, target)

    model.translated = noted  # type: ignore[method-assign]

    async def of(tenant: str, sentences: list[str]) -> list[TranslatedText]:
        LANE.set(tenant)
        return await model.translate(sentences, "en", "fr")

    many = [f"The house has {number} doors" + ", and more" * (number % 7) for number in range(60)]
    tasks = [asyncio.create_task(of("loud", many)), asyncio.create_task(of("quiet", ["One"]))]
    await asyncio.sleep(0)
    go_on.set()
    made, _ = await asyncio.gather(*tasks)
    assert order == ["loud", "quiet", "loud", "loud", "loud"]
    assert [each.text for each in made] == [each.text for each in work(many, "en", "fr")]
    model.close()


def test_the_length_of_all_texts_is_counted() -> None:
    assert TranslateBody.model_validate({"texts": ["abc", "", "de"], "target": "fr"}).length() == 5
    assert TranslateBody.model_validate({"document": "abc", "target": "fr"}).length() == 3


def test_the_glossary_is_read_once_and_each_term_is_found() -> None:
    terms = {"dash": "-", "dash board": "tableau", "light": "lumière"}
    said = ["Open the Dash Board now.", "A dash of light.", "Nothing of it."]
    found = masks(said, terms, names=False)
    assert found == [mask(each, terms, names=False) for each in said]
    assert [each.kept for each in found] == [("tableau",), ("-", "lumière"), ()]


def test_json_that_is_too_deep_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="not JSON"):
        pieces("[" * 100_000, "json")
