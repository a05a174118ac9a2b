"""Composes what agents' models are asked, from tiers, within the window of each model.

It depends on the conversation alone: tokens are estimated by bytes, and an artifact's handle by its text. So a run that
is resumed or replayed asks exactly what it asked before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cachetools import TTLCache

from mainspring.agents.context import artifacts
from mainspring.agents.context.artifacts import Artifacts
from mainspring.agents.context.assemble import assemble
from mainspring.agents.context.tiers import ContextBudget, Material
from mainspring.agents.tools.base import BaseTool
from mainspring.core.types import Context, Message
from mainspring.serving.admit.token_estimate import TOKENS_A_MESSAGE
from mainspring.serving.ring.ports import Tracing

BYTES_A_TOKEN = 3.5
# The share of a window that is left for the answer and for what the estimate misses.
_LEFT = 0.3
_DEFAULT_WINDOW = 8192
_RUNS, _KEPT_S = 512, 6 * 3600.0
_SYSTEM = ("system", "developer")


async def by_bytes(messages: Sequence[Message]) -> list[int]:
    """An estimate that is the same at all times, and rather high for prose."""
    return [
        TOKENS_A_MESSAGE
        + round(len(each.content.encode("utf-8", "replace")) / BYTES_A_TOKEN)
        + sum(round((len(call.name) + len(call.arguments)) / BYTES_A_TOKEN) for call in each.tool_calls)
        for each in messages
    ]


class TieredComposer:
    """Implements ``loop.ports.Composer``. ``window`` tells the context window of a model (None: unknown), ``most`` the
    most tokens of a context (0: what the window leaves)."""

    def __init__(self, window: Callable[[str], int | None], most: int = 0, tracing: Tracing | None = None) -> None:
        self._window = window
        self._most = most
        self._tracing = tracing
        self._artifacts: TTLCache[str, Artifacts] = TTLCache(_RUNS, _KEPT_S)

    async def compose(self, messages: Sequence[Message], model: str, context: Context) -> Sequence[Message]:
        """The messages to be sent; where the tokens come from stands in the trace."""
        told = "\n\n".join(each.content for each in messages if each.role in _SYSTEM and each.content)
        spoken = tuple(each for each in messages if each.role not in _SYSTEM)
        budget = ContextBudget(self.tokens(model))
        made = await assemble(Material(told, spoken), budget, by_bytes, self._of(context))
        if self._tracing is not None:
            with self._tracing.span("context", context) as span:
                for tier, tokens in made.tokens.items():
                    if tokens:
                        span.set(f"mainspring.context.{tier}", tokens)
                if made.left_out:
                    span.set("mainspring.context.left_out", made.left_out)
        return made.messages

    def tools(self, context: Context) -> Sequence[BaseTool]:
        """The tool that reads parts of results, once one is shown in part only."""
        return artifacts.tools(self._of(context))

    def tokens(self, model: str) -> int:
        """The most tokens of a context for ``model``."""
        room = round((self._window(model) or _DEFAULT_WINDOW) * (1 - _LEFT))
        return min(room, self._most) if self._most else room

    def _of(self, context: Context) -> Artifacts:
        """The artifacts of a run: its agents share its trace. Callers choose the ids of traces, so a trace of one is
        none of another's."""
        principal = context.principal
        name = f"{principal.tenant}\0{principal.key_id}\0{context.trace.trace_id}"
        found = self._artifacts.get(name)
        if found is None:
            found = self._artifacts[name] = Artifacts()
        return found
