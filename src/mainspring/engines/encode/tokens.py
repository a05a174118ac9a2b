"""The tokenizers of encoders, which other processes may use as well: nothing else of the engines is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.core.errors import InvalidRequest

SEND_TEXT = "Send text (LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False)"


def plain_tokenizer(path: str) -> Any:
    """A ``tokenizers.Tokenizer``, without the padding and cutting that bundled files come with."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def joined(tokenizer: Any, firsts: Sequence[str], seconds: Sequence[str], length: int, share: float) -> list[Any]:
    """The encodings of pairs of texts, at most ``length`` tokens each: the first takes at most ``share`` of them, and
    the second is cut at its end. The tokenizer's own template places the special tokens."""
    one, two = (
        tokenizer.encode_batch([clean(text) for text in texts], add_special_tokens=False) for texts in (firsts, seconds)
    )
    special = tokenizer.num_special_tokens_to_add(True)
    found = []
    for first, second in zip(one, two, strict=True):
        first.truncate(int(length * share))
        second.truncate(max(0, length - special - len(first.ids)))
        found.append(tokenizer.post_process(first, second, True))
    return found


def second_of(encoding: Any) -> int:
    """Where the second text of a pair begins."""
    return int(encoding.type_ids.index(1)) if 1 in encoding.type_ids else len(encoding.ids)


def no_token(model: str, size: int) -> InvalidRequest:
    """The error for a number that is no token of ``model``."""
    problem = f"{model} has {size} tokens: they are numbers below that, of its own tokenizer"
    return InvalidRequest(problem, remedy=SEND_TEXT)


def clean(text: str) -> str:
    """``text`` as tokenizers accept it: lone surrogates (from broken JSON escapes) are replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
