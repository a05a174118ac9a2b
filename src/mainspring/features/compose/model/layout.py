"""How a mail becomes tokens, in training and in serving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

END, TO, SUBJECT, BODY = 0, 1, 2, 3
SPECIAL = ("<|end|>", "<|to|>", "<|subject|>", "<|body|>")
"""Tokens 0 to 3: the end of a text, and what comes before each part of a mail."""
SUBJECT_TOKENS, TO_TOKENS = 24, 8
"""What is read of a subject and of a recipient."""


def header(tokenizer: Any, to: str, subject: str) -> list[int]:
    """The tokens before a body: ``<|to|>support<|subject|>Card arrival<|body|>``."""

    def part(text: str, most: int) -> Sequence[int]:
        plain = " ".join(text.split())
        found: Sequence[int] = tokenizer.encode(plain, add_special_tokens=False).ids[:most]
        return found

    return [TO, *part(to, TO_TOKENS), SUBJECT, *part(subject, SUBJECT_TOKENS), BODY]
