"""The tokenizers of encoders, which other processes may use as well: nothing else of the engines is imported."""

from __future__ import annotations

from typing import Any


def plain_tokenizer(path: str) -> Any:
    """A ``tokenizers.Tokenizer``, without the padding and cutting that bundled files come with."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def clean(text: str) -> str:
    """``text`` as tokenizers accept it: lone surrogates (from broken JSON escapes) are replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
