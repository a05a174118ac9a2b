"""Turns token ids into text while they stream: UTF-8 safe, without special tokens and stop strings.

``Vocabulary`` turns ids into bytes with one table look-up a token where the tokenizer is byte-level (checked at
start), else through the tokenizer. ``Streamer`` assembles the text of one choice.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from mainspring.engines.chat import markers
from mainspring.engines.grammar.json_whitespace import Blanks

# Strings that tell a byte-level vocabulary from one that needs its own decoder (word pieces, "▁", "<0x0A>").
_SAMPLES = (
    "Hello, world",
    " leading and  double  spaces ",
    "Tabs\tand\nnew lines\r\n\n",
    "Ünïcödé, 日本語, العربية, 😀👩‍👩‍👧",
    "def f(x):\n    return x ** 2  # code",
)
_REPLACEMENT = "\ufffd"
_FALLBACK_CONTEXT = 8


class Tokenizer(Protocol):
    """The part of ``openvino_genai.Tokenizer`` that is used here."""

    def encode(self, prompt: str, add_special_tokens: bool = True) -> Any: ...

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> Any: ...

    def get_vocab(self) -> dict[Any, int]: ...


# A tokenizer that cuts reads at least so many tokens, and so many characters have no more (a character has four bytes).
_MAY_BE_CUT, _PIECE, _MORE = 2048, 2000, " more"
# The most characters of a marker such as <|im_start|>.
_MARKER = 64


def encode(tokenizer: Tokenizer, text: str, *, special: bool) -> list[int]:
    """Token ids of the whole ``text``; empty for empty text.

    OpenVINO's tokenizers cut at a length of their own without a word (8,192 for converted GGUF files, whatever the
    model's window is), so a text that they cut is read in pieces.
    """
    if not text:
        return []
    found = _ids(tokenizer, text, special=special)
    if len(found) < _MAY_BE_CUT or len(found) < len(_ids(tokenizer, text + _MORE, special=special)):
        return found
    first, *others = _pieces(text)
    plain = _ids(tokenizer, first, special=False)
    whole = [*plain, *(token for each in others for token in _ids(tokenizer, each, special=False))]
    marks = _ids(tokenizer, first, special=True) if special else plain
    begin = next((at for at in range(len(marks)) if marks[at : at + len(plain)] == plain), 0)
    return [*marks[:begin], *whole, *marks[begin + len(plain) :]]


def _ids(tokenizer: Tokenizer, text: str, *, special: bool) -> list[int]:
    return [int(token) for token in tokenizer.encode(text, add_special_tokens=special).input_ids.data[0]]


def _pieces(text: str) -> list[str]:
    """``text`` in pieces that end before a single space, over which no token reaches; where there is none, in front of
    what may be the marker of a template, or anywhere."""
    found, start = [], 0
    while len(text) - start > _PIECE:
        last = start + _PIECE
        marker = text.rfind("<", last - _MARKER, last)
        end = last if marker < 0 else marker
        for at in range(last, start + 1, -1):
            if text[at] == " " and not text[at - 1].isspace() and not text[at + 1 : at + 2].isspace():
                end = at
                break
        found.append(text[start:end])
        start = end
    return [*found, text[start:]]


class Vocabulary:
    """Bytes of token ids. ``byte_level`` says whether the fast table is right for this tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._raw: Mapping[int, bytes] = {
            token: key if isinstance(key, bytes) else str(key).encode() for key, token in tokenizer.get_vocab().items()
        }
        self._known: dict[int, bytes] = {}
        self.size = max(self._raw) + 1
        self.byte_level = all(self._agrees(sample) for sample in _SAMPLES)

    def piece(self, token: int) -> bytes:
        """The bytes of ``token``; empty for special tokens."""
        try:
            return self._known[token]
        except KeyError:
            raw = self._raw.get(token, b"")
            # A piece of a character decodes to nothing too; only special tokens appear when asked for.
            special = not self._decode(token, skip=True) and bool(self._decode(token, skip=False))
            self._known[token] = piece = b"" if special else raw
            return piece

    def shown(self, token: int, kept: Collection[str]) -> str:
        """The text of a special ``token`` that is one of ``kept``; empty for every other token."""
        if self.byte_level and self.piece(token):
            return ""
        text = self._raw.get(token, b"").decode("utf-8", "replace")
        return text if text in kept else ""

    def decode(self, tokens: Sequence[int]) -> str:
        """The tokenizer's own decoding of a whole sequence."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def asked(self, message: Mapping[str, Any]) -> int | str | None:
        """How many tokens the ``text`` of a message has, or the text of its ``tokens``; None: one is not in here."""
        if "text" in message:
            return len(encode(self._tokenizer, message["text"], special=False))
        known = all(token < self.size for token in message["tokens"])
        return str(self._tokenizer.decode(message["tokens"], skip_special_tokens=False)) if known else None

    def text(self, token: int) -> str:
        """``token`` by itself, for people: broken characters are replaced."""
        return self.piece(token).decode("utf-8", "replace") if self.byte_level else self.decode([token])

    def _decode(self, token: int, *, skip: bool) -> str:
        return str(self._tokenizer.decode([token], skip_special_tokens=skip))

    def _agrees(self, sample: str) -> bool:
        tokens = encode(self._tokenizer, sample, special=False)
        return b"".join(map(self.piece, tokens)).decode("utf-8", "replace") == self.decode(tokens)


class _ByteDecoder:
    """Incremental decoding by the table."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._piece = vocabulary.piece
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        return self._decoder.decode(self._piece(token))

    def flush(self) -> str:
        rest = self._decoder.decode(b"", True)
        self._decoder.reset()
        return rest


class _WholeDecoder:
    """Incremental decoding through the tokenizer: the last tokens are decoded again with each new one."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._decode = vocabulary.decode
        self._tokens: list[int] = []
        self._shown = 0

    def push(self, token: int) -> str:
        self._tokens.append(token)
        text = self._decode(self._tokens)
        if text.endswith(_REPLACEMENT):
            return ""
        fresh, self._shown = text[self._shown :], len(text)
        if len(self._tokens) > 4 * _FALLBACK_CONTEXT:
            del self._tokens[:-_FALLBACK_CONTEXT]
            self._shown = len(self._decode(self._tokens))
        return fresh

    def flush(self) -> str:
        rest = self._decode(self._tokens)[self._shown :] if self._tokens else ""
        self._tokens, self._shown = [], 0
        return rest


class Streamer:
    """The text of one choice. A possible start of a stop string is held back; ``stopped_by`` is the string that
    matched. Special tokens are skipped, except for those in ``shown``. If the ``grammar`` (kind, source) is one of
    JSON, endless white space stops the text too: ``closed`` if the JSON could be completed, else ``blank``."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        stop: Sequence[str] = (),
        shown: Sequence[str] = (),
        grammar: Sequence[str] | None = None,
    ) -> None:
        self._vocabulary = vocabulary
        self._shown = frozenset(shown)
        self._decoder = _ByteDecoder(vocabulary) if vocabulary.byte_level else _WholeDecoder(vocabulary)
        self._stop = tuple(text for text in stop if text)
        self._longest = max(map(len, self._stop), default=0)
        self._held = ""
        self._blanks = Blanks(grammar[1]) if grammar and grammar[0] == "json_schema" else None
        self.stopped = False
        self.stopped_by = ""
        self.blank = self.closed = False

    def push(self, token: int) -> str:
        """Text that ``token`` releases; sets ``stopped`` when a stop string is complete."""
        if self._shown and (text := self._vocabulary.shown(token, self._shown)):
            return self._release(self._decoder.flush() + text)
        return self._release(self._decoder.push(token))

    def flush(self) -> str:
        """The text held back, at the end of the sequence."""
        if self.stopped:
            return ""
        text = self._release(self._decoder.flush())
        if self.stopped:
            return text
        text, self._held = text + self._held, ""
        return text

    def _release(self, fresh: str) -> str:
        if self._blanks is not None and fresh and self._blanks.push(fresh):
            self.stopped, self.closed = True, bool(self._blanks.closing)
            self.blank = not self.closed
            return self._held + fresh + self._blanks.closing
        if not self._stop or not fresh:
            return fresh
        text = self._held + fresh
        found = markers.first(text, self._stop)
        if found:
            self.stopped, self.stopped_by, self._held = True, found[1], ""
            return text[: found[0]]
        keep = 0
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-length:]
            if any(stop.startswith(tail) for stop in self._stop):
                keep = length
                break
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]
