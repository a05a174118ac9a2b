"""Asks through the request ring while a client watches: its progress, its notices and its citations."""

from __future__ import annotations

from typing import Any

from mainspring.core.path import Answer
from mainspring.core.types import ChatRequest, Notice, Progress, Responder, Text
from mainspring.features.mcp.server import uris
from mainspring.features.mcp.server.offers import Call


async def asked(call: Call, responder: Responder, request: ChatRequest) -> Answer:
    """The whole answer. A client that cancels ends it."""
    response = await responder.respond(request, call.context)
    answer = Answer(response.head)
    try:
        async for event in response:
            answer.add(event)
            if isinstance(event, Progress):
                await call.progress(f"{event.stage}: {event.detail}" if event.detail else event.stage)
            elif isinstance(event, Text):
                await call.progress(f"{len(answer.text)} characters", always=False)
            elif isinstance(event, Notice):
                await call.log("notice", f"{event.code}: {event.text}")
    finally:
        await response.aclose()
    return answer


def cited(answer: Answer) -> list[dict[str, Any]]:
    """The passages behind an answer; ``uri`` is where each can be read."""
    return [
        {
            "index": each.index,
            "source": each.source,
            "quote": each.quote,
            "uri": uris.document_uri(each.vector_store_id, each.file_id or each.document_id, each.start, each.end),
        }
        | ({"page": each.page} if each.page is not None else {})
        | ({"heading": each.heading} if each.heading else {})
        for each in answer.citations
    ]
