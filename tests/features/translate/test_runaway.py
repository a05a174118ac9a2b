"""Chat models that repeat themselves or explain."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mainspring.core.path import replay
from mainspring.core.types import ChatRequest, Context, Finish, Head, Principal, Request, Response, Text
from mainspring.features.translate.assistant import ByChat
from mainspring.features.translate.engine.runaway import runs_away, without_repetition


@pytest.mark.parametrize(
    ("translation", "text", "found"),
    [
        ("저는 이겨서 래프를 타고 래프를 타고 래프를 타고 래프를 타고", "I went rafting.", True),
        ("no no no no", "Nein!", True),
        ("no no no no", "non non non non", False),
        ("very very good", "très bon", False),
        (
            "Blueprints are documents that describe the design and construction of a building or a machine.",
            "청사진",
            True,
        ),
        (
            "I don't know the meaning of this word. I need to look up the dictionary.",
            "이 단어 뜻이 뭔지 모르겠어.",
            False,
        ),
        ("", "", False),
    ],
)
def test_repetitions_and_explanations_are_found(translation: str, text: str, found: bool) -> None:
    assert runs_away(translation, text) is found


def test_a_phrase_that_is_repeated_stays_once() -> None:
    assert without_repetition("I like to ride to ride to ride to ride") == "I like to ride"
    assert without_repetition("I like to ride") == "I like to ride"


class Saying:
    """Says one text after the other."""

    def __init__(self, said: Sequence[str]) -> None:
        self.said = list(said)
        self.penalties: list[float | None] = []

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        self.penalties.append(request.sampling.frequency_penalty)
        return Response(Head("large"), replay([Text(self.said.pop(0)), Finish("stop")]))


@pytest.mark.parametrize(
    ("said", "translation"),
    [
        (["Je nage.", "unused"], "Je nage."),
        (["Je vais vais vais vais vais", "Je vais nager."], "Je vais nager."),
        (["Je vais vais vais vais vais", "nager nager nager nager nager"], "Je vais"),
    ],
)
async def test_a_runaway_translation_is_asked_for_once_more(said: list[str], translation: str) -> None:
    chat = Saying(said)
    (made,) = await ByChat(chat, "large", Context(Principal("acme", "key", frozenset()))).translate(
        ["I swim."], "en", "fr"
    )
    assert made.text == translation
    assert chat.penalties == ([None] if said[1] == "unused" else [None, 0.5])
