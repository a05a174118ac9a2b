"""The feature: the assistant as a model."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import lru_cache, partial

from mainspring.core.errors import Conflict, UnknownModel
from mainspring.core.types import Context, Responder
from mainspring.feature import Feature, Rooms, Services
from mainspring.features.assistant.enhance.enhancer import Enhanced, enhanced
from mainspring.features.assistant.enhance.typos import english
from mainspring.features.assistant.responder import NAME, Assistant
from mainspring.features.assistant.settings import AssistantSettings
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.serving.guard.output import GuardOutput
from mainspring.serving.memory.recollection import PersonMemory
from mainspring.serving.ring.registry import Served
from mainspring.serving.route.auto.responder import NAME as AUTO

_log = logging.getLogger(__name__)


async def _ready(rooms: Rooms, services: Services) -> None:
    settings = rooms.settings.section(AssistantSettings)
    if not settings.enabled:
        return
    assistant = made(rooms, services, settings)
    try:
        rooms.path.registry.add(Served(NAME, "application", assistant, created=int(time.time())))
    except Conflict:
        # A model, a route or an agent of the configuration already has the name.
        _log.warning("the name %s is taken, so the assistant is not served", NAME)
        return
    rooms.telemetry.metrics.serve(NAME)


def made(rooms: Rooms, services: Services, settings: AssistantSettings) -> Assistant:
    """An assistant over these rooms."""
    return Assistant(
        settings,
        partial(_model, rooms, settings.model),
        rooms.telemetry.tracing,
        _checks(rooms, settings),
        partial(_parameters, rooms, settings.model),
        services.perhaps(PersonMemory),  # type: ignore[type-abstract]
        _enhanced,
    )


async def _enhanced(text: str) -> Enhanced:
    """``text`` with its typos corrected. The English words are loaded at the first message."""
    return await asyncio.to_thread(lambda: enhanced(text, english()))


def _model(rooms: Rooms, name: str, context: Context) -> Responder:
    """The model of that name, else the router. Raises ``UnknownModel``."""
    found = rooms.path.registry.fixed(name or AUTO, context.principal, inner=True)
    if found is None:
        remedy = f"Set assistant.model to another one than {name}" if name else "Set models.chat"
        raise UnknownModel(f"{NAME} has no model to ask", remedy=remedy, param="model")
    return found.responder


def _parameters(rooms: Rooms, name: str) -> frozenset[str]:
    """The sampling parameters that the model of that name supports; all of them if the model is unknown."""
    chat = rooms.engines.chat
    asked = [chat[name]] if name in chat else list(chat.values())
    known = [each.engine.capabilities.parameters for each in asked]
    return frozenset.intersection(*known) if known else frozenset()


def _checks(rooms: Rooms, settings: AssistantSettings) -> Callable[[Responder, str], Responder]:
    """The check of answers for their tone. The request ring checks everything else."""
    services = rooms.path.services
    if settings.answer_safety == "off" or services.judge is None:
        return lambda inner, _: inner

    @lru_cache(maxsize=16)
    def policy(reason: str) -> GuardPolicy:
        answers = rooms.settings.guards.answers.model_copy(
            update={"toxicity": settings.answer_safety, "relevancy": "off", "unsupported": "off"}
            | {"reason": reason, "held": settings.held}
        )
        return GuardPolicy(
            NAME, injection="off", harm="off", pii_input="off", pii_output="off", links="off", answers=answers
        )

    def checked(inner: Responder, reason: str) -> Responder:
        return GuardOutput(
            inner,
            policy(reason),
            services.metrics,
            judge=services.judge,
            kinds=rooms.path.registry,
            tracing=services.tracing,
        )

    return checked


FEATURE = Feature("assistant", ready=_ready)
