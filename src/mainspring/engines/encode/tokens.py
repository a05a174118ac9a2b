"""The tokenizers of encoders, which other processes may use as well: nothing else of the engines is imported."""

from __future__ import annotations

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


def no_token(model: str, size: int) -> InvalidRequest:
    """The error for a number that is no token of ``model``."""
    problem = f"{model} has {size} tokens: they are numbers below that, of its own tokenizer"
    return InvalidRequest(problem, remedy=SEND_TEXT)


def clean(text: str) -> str:
    """``text`` as tokenizers accept it: lone surrogates (from broken JSON escapes) are replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
