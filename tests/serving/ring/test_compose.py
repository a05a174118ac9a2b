"""The rings over the real stores, guards and telemetry."""

from __future__ import annotations

import json
from pathlib import Path

from mainspring import stores, telemetry
from mainspring.core.path import collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Message
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.compose import Services, call_ring, request_ring, shown_ring
from mainspring.serving.ring.registry import Registry, Served
from tests.serving.house import GREEDY, STRICT, Build, visitor


async def test_an_answer_is_cited_remembered_cached_and_traced(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    async with stores.open(settings) as opened, telemetry.open(settings, opened.spans) as told:
        services = Services(
            settings=settings,
            tracing=told.tracing,
            metrics=told.metrics,
            policy=STRICT,
            events=opened.events,
            histories=opened.sessions,
            answers=opened.cache,
            background=Background(),
        )
        engine = ScriptedEngine(lambda _: ["Ask", " bob@example.com", "."], templates=True)
        model = ModelResponder(engine, model_name="chat", fingerprint="weights-1")
        registry = Registry()
        registry.add(Served("chat", "chat", call_ring(services, model, model="chat", provider="scripted")))
        told.metrics.serve("chat")
        ring = request_ring(services, registry, Limits(600, 400_000))

        context = visitor()
        request = ChatRequest("chat", (Message("user", "I am eve@example.com"),), session_id="s")
        answer = await collect(await ring.respond(request, context))
        assert answer.text == "Ask [EMAIL]."
        found = await opened.events.find("acme", subject=answer.head.answer_id)
        assert sorted(record.kind for record in found) == ["answer", "call", "guard", "guard"]
        assert [record.id for record in found if record.kind == "answer"] == [answer.head.answer_id]
        assert "example.com" not in json.dumps([[record.facts.plain(), record.content] for record in found])

        again = ChatRequest("chat", (Message("user", "And now?"),), session_id="s")
        await collect(await ring.respond(again, visitor()))
        assert [message.content for message in engine.seen[-1].messages] == [
            "I am [EMAIL]",
            "Ask [EMAIL].",
            "And now?",
        ]

        for cache in ("miss", "hit"):
            greedy = ChatRequest("chat", (Message("user", "Hello"),), sampling=GREEDY)
            assert (await collect(await ring.respond(greedy, visitor()))).head.cache == cache
            await services.background.close()
        assert len(engine.seen) == 3

        await told.flush()
        spans = await opened.spans.trace(context.trace.trace_id)
        layers = {"Limit", "Shed", "GuardInput", "Session", "Record", "ResponseCache", "GuardOutput"}
        steps = {"guard", "prefill", "decode", "postprocess", "settle"}
        assert {span.name for span in spans} == {"request", *layers, *steps, "chat chat"}
        page, _ = told.metrics.render()
        assert b'mainspring_model_calls_total{code="ok",model="chat"} 3.0' in page
        assert b'mainspring_cache_total{cache="response",outcome="hit"} 1.0' in page


async def test_what_a_model_writes_for_a_search_is_redacted_and_noted(house: Build) -> None:
    home = house(lambda _: ["Ask", " bob@example.com", "."], STRICT)
    model = ModelResponder(home.engine, model_name="chat", fingerprint="weights-1")
    shown = shown_ring(home.services, call_ring(home.services, model, model="chat", provider="scripted"))
    context = visitor()
    answer = await collect(await shown.respond(ChatRequest("chat", (Message("user", "Who?"),)), context))
    assert answer.text == "Ask [EMAIL]."
    assert "guard" in {record.kind for record in context.settlement.records}
