"""The texts of token arrays, which some clients send instead of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainspring.core.errors import Unsupported
from mainspring.engines.base import Decodes, Embedder
from mainspring.engines.chat.chat_model import ChatModel
from mainspring.engines.encode.tokens import SEND_TEXT


class TokenTexts:
    """Decodes token arrays with the tokenizers of the local engines: of ``chat`` models by name, and the embedder."""

    def __init__(self, chat: Mapping[str, ChatModel], embedder: Embedder) -> None:
        self._chat = chat
        self._embedder = embedder

    async def of(self, model: str, tokens: Sequence[int]) -> str:
        """The text of ``tokens`` of the model named so. Raises ``Unsupported`` where its tokenizer is not here, and
        ``InvalidRequest`` for a number that is no token of it."""
        chat = self._chat.get(model)
        owner = self._embedder if model == self._embedder.name else None if chat is None else chat.engine
        if not isinstance(owner, Decodes):
            raise Unsupported(f"the tokenizer of {model} is not here: its tokens cannot be read", remedy=SEND_TEXT)
        return await owner.text_of(tokens)
