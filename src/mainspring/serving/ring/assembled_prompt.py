"""Stores the assembled prompt of a model call for later inspection.

It is stored only if ``telemetry.store_prompts`` says so, as the text of the call's event, and is erased with the
session, the document or the person's data.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from mainspring.core import cards
from mainspring.core.types import ChatRequest, CompletionRequest, Request

Render = Callable[[Request], str]
"""Renders a request with a chat model's template; the text is empty if the template is applied elsewhere."""


class Assembled:
    """Tells what a model was sent. ``redact`` is how texts may be read."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def of(self, request: Request, render: Render | None = None) -> str | None:
        """As JSON: ``messages`` and ``rendered``, or ``prompt``; None if there is no text for a model to continue."""
        told: dict[str, Any]
        if isinstance(request, ChatRequest):
            told = {
                "messages": [{"role": each.role, "content": self._shown(each.content)} for each in request.messages]
            }
            if request.tools:
                told["tools"] = [tool.name for tool in request.tools]
            if render is not None and (text := render(request)):
                told["rendered"] = self._shown(text)
        elif isinstance(request, CompletionRequest):
            told = {"prompt": self._shown(request.prompt)}
            if request.suffix:
                told["suffix"] = self._shown(request.suffix)
        else:
            return None
        return json.dumps(told, ensure_ascii=False).encode("utf-8", "replace").decode()

    def _shown(self, text: str) -> str:
        return cards.scrub(self._redact(text))
