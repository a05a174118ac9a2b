from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Reference

from mainspring.engines.chat.detokenizer import Streamer, Vocabulary, encode
from mainspring.engines.grammar.json_whitespace import LIMIT, LINES
from mainspring.engines.openvino.sequences import reason_of
from tests.conformance.engine_cases import default_model_missing, pulled_files
from tests.conftest import ROOT


class ByteTokenizer:
    """One token a byte; token 256 is special. Incomplete characters decode to nothing, as OpenVINO has it."""

    def encode(self, prompt: str, add_special_tokens: bool = True) -> Any:
        data = list(prompt.encode())
        return SimpleNamespace(input_ids=SimpleNamespace(data=[([256] if add_special_tokens else []) + data]))

    def decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        text = bytes(token for token in tokens if token < 256).decode("utf-8", "ignore")
        return text + ("" if skip_special_tokens else "<end>" * list(tokens).count(256))

    def get_vocab(self) -> dict[Any, int]:
        return {**{bytes([value]): value for value in range(256)}, b"<end>": 256}


class PieceTokenizer(ByteTokenizer):
    """As SentencePiece has it: the table's spaces are not those of the text."""

    def get_vocab(self) -> dict[Any, int]:
        return {**super().get_vocab(), "▁".encode(): 32} | {b"_": 32}


@pytest.fixture(scope="module", params=[ByteTokenizer, PieceTokenizer], ids=["table", "tokenizer"])
def vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    vocabulary = Vocabulary(request.param())
    assert vocabulary.byte_level == (request.param is ByteTokenizer)
    return vocabulary


def stream(vocabulary: Vocabulary, text: str, stop: tuple[str, ...] = ()) -> tuple[list[str], bool]:
    streamer = Streamer(vocabulary, stop)
    pieces = []
    for token in [*text.encode(), 256]:
        pieces.append(streamer.push(token))
        if streamer.stopped:
            break
    return [*pieces, streamer.flush()], streamer.stopped


@given(text=st.text(max_size=60))
def test_text_is_whole_and_no_character_is_cut(vocabulary: Vocabulary, text: str) -> None:
    pieces, _ = stream(vocabulary, text)
    assert "".join(pieces) == text


@given(text=st.text("abc é😀", max_size=40), stop=st.lists(st.text("abc é", min_size=1, max_size=4), max_size=3))
def test_ends_before_the_first_stop_string_to_complete(vocabulary: Vocabulary, text: str, stop: list[str]) -> None:
    pieces, stopped = stream(vocabulary, text, tuple(stop))
    shown = "".join(pieces)
    assert text.startswith(shown)
    assert stopped == any(one in text for one in stop)
    if stopped:
        assert not any(one in shown for one in stop)
        assert any(text[len(shown) :].startswith(one) for one in stop)
    else:
        assert shown == text


def test_holds_back_no_more_than_it_must() -> None:
    streamer = Streamer(Vocabulary(ByteTokenizer()), ("###",))
    assert [streamer.push(ord(character)) for character in "a##b#"] == ["a", "", "", "##b", ""]
    assert streamer.flush() == "#"


def test_broken_bytes_are_replaced() -> None:
    streamer = Streamer(Vocabulary(ByteTokenizer()))
    text = "".join(streamer.push(token) for token in [0xF0, 0x9F, ord("a"), 0xC3]) + streamer.flush()
    assert text == "\ufffda\ufffd"


def test_special_tokens_are_silent() -> None:
    vocabulary = Vocabulary(ByteTokenizer())
    assert vocabulary.piece(256) == b""
    assert vocabulary.size == 257
    assert encode(ByteTokenizer(), "", special=True) == []


@pytest.mark.skipif(bool(default_model_missing()), reason=default_model_missing() or "pulled")
def test_the_default_model_takes_the_fast_path() -> None:
    import openvino_genai

    tokenizer = openvino_genai.Tokenizer(pulled_files()["ir"])
    vocabulary = Vocabulary(tokenizer)
    assert vocabulary.byte_level
    text = "Straße, 日本語 and 😀👩‍👩‍👧"
    streamer = Streamer(vocabulary)
    tokens = [*encode(tokenizer, text, special=False), tokenizer.get_eos_token_id()]
    assert "".join(map(streamer.push, tokens)) + streamer.flush() == text


def test_special_tokens_are_shown_where_they_mark_calls(vocabulary: Vocabulary) -> None:
    streamer = Streamer(vocabulary, shown=("<end>",))
    pieces = [streamer.push(token) for token in [97, 256, 0xC3, 0xA9, 256, 0xC3]]
    assert "".join([*pieces, streamer.flush()]).rstrip("\ufffd") == "a<end>é<end>"


JSON = ("json_schema", '{"type": "object"}')


def fed(text: str, grammar: tuple[str, str] | None) -> tuple[Streamer, int]:
    """What becomes of ``text``, and how many of its tokens are read until it stops."""
    streamer = Streamer(Vocabulary(ByteTokenizer()), (), (), grammar)
    for read, token in enumerate(text.encode(), 1):
        streamer.push(token)
        if streamer.stopped:
            return streamer, read
    return streamer, len(text.encode())


def test_json_that_runs_in_white_space_is_cut_long_before_its_length() -> None:
    streamer, read = fed('{"a":' + "\n \t\r" * 500, JSON)
    assert streamer.blank
    assert read == len('{"a":') + LIMIT + 1
    assert (reason_of(streamer, ""), streamer.stopped_by) == ("length", "")


COLOUR = ("json_schema", '{"type": "object", "properties": {"c": {"enum": ["blue"]}}, "required": ["c"]}')


def test_json_that_only_lacks_its_end_is_closed() -> None:
    streamer = Streamer(Vocabulary(ByteTokenizer()), (), (), COLOUR)
    told = ""
    for token in ('{"c": "blue"' + "\n" * 500).encode():
        told += streamer.push(token)
        if streamer.stopped:
            break
    assert json.loads(told + streamer.flush()) == {"c": "blue"}
    assert told.count("\n") == LINES + 1
    assert (streamer.blank, reason_of(streamer, "")) == (False, "stop")


def test_json_whose_end_the_schema_does_not_allow_goes_on() -> None:
    streamer, read = fed('{"d": {"e": 1' + "\n" * (LINES + 2) + '}, "c": "blue"' + "\n" * 500, COLOUR)
    assert streamer.closed
    assert read > len('{"d": {"e": 1}, "c": "blue"')


@pytest.mark.parametrize(
    ("text", "grammar"),
    [
        ('{"a": "' + " " * 500 + '"}', JSON),
        ('{"a": "\\"' + " " * 500 + '"}', JSON),
        ('{"a": "\\\\",' + " " * LIMIT + '"b": 1}', JSON),
        ("{" + ("\n" + " " * 100 + '"k": [1],') * 5, JSON),
        (" " * 500, None),
        (" " * 500, ("regex", " +")),
    ],
    ids=["string", "quote", "escape", "indented", "text", "regex"],
)
def test_white_space_that_has_an_end_or_is_text_is_left_alone(text: str, grammar: tuple[str, str] | None) -> None:
    streamer, read = fed(text, grammar)
    assert not streamer.stopped
    assert read == len(text)
    assert reason_of(streamer, "STOP") == "stop"


class Cutting:
    """A tokenizer of words that cuts at 3,000 tokens, as OpenVINO's cut at 8,192; a mark stands in front."""

    marks = 1

    def encode(self, prompt: str, add_special_tokens: bool = True) -> Any:
        ids = [9] * add_special_tokens + [0] * len(re.findall(r" ?[^ ]+| ", prompt))
        return SimpleNamespace(input_ids=SimpleNamespace(data=[ids[:3_000]]))


@pytest.mark.parametrize("words", [0, 1, 2_999, 3_000, 3_001, 20_000])
@pytest.mark.parametrize("special", [False, True])
def test_a_text_that_the_tokenizer_cuts_is_read_whole(words: int, special: bool) -> None:
    tokenizer: Any = Cutting()
    assert len(tokenizer.encode(" ".join(["word"] * 20_000)).input_ids.data[0]) <= 3_001
    found = encode(tokenizer, " ".join(["word"] * words), special=special)
    assert len(found) == words + (tokenizer.marks if special and words else 0)


def test_a_text_without_spaces_is_read_too() -> None:
    tokenizer: Any = Cutting()
    assert len(encode(tokenizer, "x" * 10_000, special=False)) == 1


@pytest.mark.skipif(bool(default_model_missing()), reason=default_model_missing() or "pulled")
def test_a_long_text_has_the_tokens_that_its_own_tokenizer_gives() -> None:
    openvino_genai = pytest.importorskip("openvino_genai")
    files = pulled_files()
    tokenizer: Any = openvino_genai.Tokenizer(files["ir"])
    reference = Reference.from_file(str(files["ir"].parent / "tokenizer.json"))
    said = (ROOT / "docs" / "log.md").read_text(encoding="utf-8")[:50_000]
    for text in (f"<|im_start|>user\n{said}<|im_end|>\n<|im_start|>assistant\n", f"{said[:9_000]}\n" * 4):
        whole = reference.encode(text, add_special_tokens=True).ids
        assert len(whole) > 8_192
        assert encode(tokenizer, text, special=True) == whole
