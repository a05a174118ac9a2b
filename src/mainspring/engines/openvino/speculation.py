"""Selects sequences for speculation: several next tokens are proposed and verified in one step of the model.

Guesses come from the text itself (what followed the last three tokens when they occurred before) or from a smaller
model. One answer alone leaves the processor waiting for weights, so that checking five tokens costs little more than
one; in a full batch the same check takes compute from the others. So only sequences that start while nothing else runs
speculate by default, and only if their prompt is long enough to copy from.
"""

from __future__ import annotations

from typing import Any

from mainspring.engines.openvino.runtime import BLOCK, speculating_blocks, speculation_config
from mainspring.engines.process.protocol import Message

LONG = 64
"""Tokens of a prompt that may hold what an answer copies."""


class Speculation:
    """The second ``pipeline`` (None: there is none) and the free part of its KV cache."""

    def __init__(self, pipeline: Any, configuration: Message) -> None:
        self.pipeline = pipeline
        self.taken = 0
        self.settings: Message = {} if pipeline is None else speculation_config(configuration)
        self._looks_up = configuration.get("speculation") == "prompt_lookup"
        # As in the first one, a block stays free; proposals are written ahead of accepted tokens.
        self._left = 0 if pipeline is None else (speculating_blocks(configuration) - 2) * BLOCK

    def take(self, wish: bool | None, sampling: Message, prompt: int, tokens: int, *, alone: bool) -> bool:
        """Whether a sequence of ``tokens`` with a ``prompt`` of this length speculates; if so, its share of the cache
        is taken.

        Beams and grammars never do: proposals do not follow them.
        """
        if self.pipeline is None or wish is False or sampling["beams"] > 1 or sampling["grammar"]:
            return False
        pays = alone and (prompt >= LONG or not self._looks_up)
        if not (wish or pays) or tokens > self._left:
            return False
        self._left -= tokens
        self.taken += 1
        return True

    def give(self, tokens: int) -> None:
        """A sequence has ended."""
        self._left += tokens
