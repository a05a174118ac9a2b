"""The texts of token arrays, which some clients send instead of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.engines.base import Decodes

if TYPE_CHECKING:
    from mainspring.engines import Engines


class TokenTexts:
    """Decodes token arrays with the tokenizers of the local engines."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def of(self, model: str, tokens: Sequence[int]) -> str:
        """The text of ``tokens`` of the model named so. Raises ``Unsupported`` where its tokenizer is not here, and
        ``InvalidRequest`` for a number that is no token of it."""
        engines = self._engines
        chat = engines.chat.get(model)
        owner = engines.embedder if model == engines.embedder.name else None if chat is None else chat.engine
        if not isinstance(owner, Decodes):
            raise Unsupported(f"the tokenizer of {model} is not here: its tokens cannot be read", remedy=_TEXT)
        return await owner.text_of(tokens)


_TEXT = "Send text (LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False)"


def no_token(model: str, size: int) -> InvalidRequest:
    """The error for a number that is no token of ``model``."""
    return InvalidRequest(f"{model} has {size} tokens: they are numbers below that, of its own tokenizer", remedy=_TEXT)
