"""Perplexity equals its definition, over whatever pieces a text is read in."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.settings import Settings
from mainspring.core.types import (
    CompletionRequest,
    Context,
    Event,
    Finish,
    Head,
    Principal,
    Request,
    Response,
    Text,
    TokenLogprob,
    Usage,
)
from mainspring.engines.catalogue.entries import Catalogue
from mainspring.engines.catalogue.perplexity import TEXT, TOLERANCE
from mainspring.features.evaluate.capabilities.asking import Target
from mainspring.features.evaluate.capabilities.perplexity import TextLoss, measure, pieces, summed
from mainspring.features.evaluate.commands.benchmark import serving_alone
from mainspring.features.evaluate.commands.perplexity import read
from mainspring.system import open_rooms

ME = Principal("default", "me")
MODEL = "smollm2-135m-instruct"


def _logprob(word: str) -> float:
    """Of a word, whatever stands before it."""
    return -len(word) / 3


class Unigram:
    """Tokens are words with the space before them."""

    def __init__(self, *, tells: bool = True) -> None:
        self.tells = tells
        self.prompts: list[str] = []

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, CompletionRequest)
        assert isinstance(request.prompt, str)
        self.prompts.append(request.prompt)
        words = request.prompt.split(" ")
        tokens = [word if not n else f" {word}" for n, word in enumerate(words)]
        told = [TokenLogprob(token, _logprob(token) if n else math.nan) for n, token in enumerate(tokens)]

        async def events() -> AsyncIterator[Event]:
            shown = (*told, TokenLogprob("x", -1.0)) if self.tells else ()
            yield Text("x", logprobs=shown)
            yield Usage(len(tokens), 1)
            yield Finish("length")

        return Response(Head("unigram"), events())

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None


def _text(words: int) -> str:
    return " ".join("word" * (1 + n % 3) for n in range(words))


def test_pieces_make_up_the_text() -> None:
    text = _text(200)
    found = list(pieces(text, 100, 30))
    assert "".join(piece for _, piece in found) == text
    assert all(len(piece) <= 100 for _, piece in found)
    assert all(text[:at].endswith(context) for at, (context, _) in zip(_starts(found), found, strict=True))


def _starts(found: list[tuple[str, str]]) -> list[int]:
    starts = [0]
    for _, piece in found[:-1]:
        starts.append(starts[-1] + len(piece))
    return starts


@pytest.mark.parametrize("characters", [100_000, 300, 100])
async def test_it_is_the_mean_over_tokens_however_the_text_is_cut(characters: int) -> None:
    texts = [("a", _text(200)), ("b", _text(31))]
    found = await measure(Target(Unigram(), "unigram", ME), texts, characters=characters, overlap=40)

    losses = [-_logprob(f" {word}") for _, text in texts for word in text.split(" ")[1:]]
    assert found.tokens == len(losses) == 229
    assert found.by_token.value == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-9)
    assert found.by_word == pytest.approx(math.exp(sum(losses) / 231), rel=1e-9)
    length = sum(len(text) for _, text in texts)
    assert found.bits_per_byte == pytest.approx(sum(losses) / math.log(2) / length, rel=1e-9)


async def test_who_does_not_tell_is_named() -> None:
    with pytest.raises(Unsupported, match="prefix_cache"):
        await measure(Target(Unigram(tells=False), "unigram", ME), [("a", _text(9))])


def test_the_interval_is_over_texts() -> None:
    alike = summed([TextLoss(str(n), 20.0, 10, 8, 40) for n in range(5)])
    assert alike.by_token.low == pytest.approx(alike.by_token.high) == pytest.approx(math.exp(2))
    apart = summed([TextLoss(str(n), 20.0 + n, 10, 8, 40) for n in range(5)])
    assert apart.by_token.low < apart.by_token.value < apart.by_token.high
    assert summed([TextLoss("a", 20.0, 10, 8, 40)]).by_token.high == math.inf
    with pytest.raises(InvalidRequest):
        summed([])


def test_files_are_texts_or_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One text.\nStill it.")
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": "One", "name": "first"}) + '\n\n{"text": "Two"}\n')
    assert read(tmp_path / "a.txt") == [("a.txt", "One text.\nStill it.")]
    assert read(tmp_path / "b.jsonl") == [("first", "One"), ("3", "Two")]
    for wrong in ("[1]", "{", '{"text": 1}'):
        (tmp_path / "c.jsonl").write_text(wrong)
        with pytest.raises(InvalidRequest, match="line 1"):
            read(tmp_path / "c.jsonl")


@pytest.mark.slow
async def test_the_served_model_agrees_with_the_gate_of_conversions(tmp_path: Path) -> None:
    settings = serving_alone(Settings(home=tmp_path), MODEL, prompt_logprobs=True)
    async with open_rooms(settings) as rooms:
        found = await measure(Target(rooms.responder, MODEL, rooms.local), [("mill", TEXT)], characters=100_000)
    # The catalogue has it of the unconverted weights; a conversion may be so far from it.
    reference = Catalogue.load(settings).get(MODEL).reference_perplexity
    assert reference is not None
    assert found.by_token.value == pytest.approx(reference, rel=TOLERANCE)
