"""Refusing early: who would not be let in to the engine is told before anything is done for the request.

The gate decides at the end of the path, after guards, sessions, budgets and the commit of what became of the request.
When much more is asked than can be served, most of the path's work is for requests that are refused, and it takes the
processor from the engine. So the same gate is asked at the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping

from mainspring.path import Layer
from mainspring.serving.admit import work_of
from mainspring.serving.cache import Keys
from mainspring.serving.gate import Gate
from mainspring.types import ChatRequest, CompletionRequest, Context, Request, Responder, Response


class Shed(Layer):
    """Raises ``Overloaded`` where the gate before the named model would.

    ``gates`` are those of names that lead to one engine and nothing else. What a cache may answer is let pass: it may
    need no engine. A request that is refused here leaves no event, as one that is over its key's limit does not.
    """

    def __init__(self, inner: Responder, gates: Mapping[str, Gate], keys: Keys, *, default_output_tokens: int) -> None:
        super().__init__(inner)
        self._gates = gates
        self._keys = keys
        self._default_output = default_output_tokens

    async def respond(self, request: Request, context: Context) -> Response:
        gate = self._gates.get(request.model)
        if (
            gate is not None
            and gate.busy
            and isinstance(request, ChatRequest | CompletionRequest)
            and not self._keys.may_hold(request)
        ):
            gate.refuse_what_is_too_late(work_of(request, self._default_output), context)
        return await self.inner.respond(request, context)
