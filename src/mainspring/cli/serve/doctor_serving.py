"""The checks of ``mainspring doctor`` beyond this machine: names of models and routes, and the places of state.

They also show whether a server would refuse to start under these settings, and why.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from mainspring.core.errors import MainspringError

if TYPE_CHECKING:
    from mainspring.core.settings import Settings

Check = tuple[str, str, str]
PATIENCE_S = 5.0
"""Seconds in which a database or a Redis must answer."""


def names(settings: Settings) -> list[Check]:
    """Names that are given twice, and those of models that are not served."""
    serving, models = settings.serving, settings.models
    chat = [*models.chat, *models.remote, *models.vllm]
    routes = [name for name in serving.routes if name not in chat]
    own = ["document-qa", *(["auto"] if serving.auto is not None else []), *serving.scaled, *routes]
    found = [f"two things are served as {name}" for name, count in Counter([*chat, *own]).items() if count > 1]
    asked: dict[str, list[str]] = {"sessions.summariser": [_named(settings.sessions.summariser)]}
    if serving.auto is not None:
        auto = serving.auto
        asked["serving.auto"] = [auto.small, auto.large, auto.judge, *(rule.use for rule in auto.rules)]
    for setting, wanted in asked.items():
        found += [
            f"{setting} names {name}, which is not a chat model here" for name in wanted if name not in ("", *chat)
        ]
    return [("names", "wrong", detail) for detail in found]


def router(settings: Settings) -> list[Check]:
    """Whether the model ``auto`` routes between the chat models that `mainspring up` serves, and why it does not."""
    from mainspring.engines.catalogue import larger_model
    from mainspring.serving.route.auto import packaged
    from mainspring.serving.route.auto.classifier import Classifier
    from mainspring.serving.route.auto.routing_payoff import why_off

    auto = settings.serving.auto
    try:
        choice = larger_model.choose(settings)
        models = choice.settings.models
        chat = [*models.chat, *filter(None, [choice.coming]), *models.remote, *models.vllm]
        small, large = auto.small or next(iter(chat), ""), auto.large or (chat[-1] if chat else "")
        if small == large:
            return []
        asked = auto.policy in ("classifier", "hybrid")
        classifier = (Classifier.load(auto.classifier) if auto.classifier else packaged()) if asked else None
    except MainspringError as error:
        return [("auto", "wrong", str(error))]
    if reason := why_off(auto, small, large, classifier):
        return [("auto", "off", f"{large} answers: {reason} (docs/guides/auto.md)")]
    return [("auto", "ok", f"{auto.policy} between {small} and {large}")]


def guards(settings: Settings) -> Check:
    """The actions of the default policy."""
    section = settings.guards
    done = {
        "injection": section.injection,
        "harm": section.harm,
        "personal data in": section.pii_input,
        "personal data out": section.pii_output,
        "links and pictures": section.links,
        "repeated system prompt": section.prompt_leak,
        "detectors (injection, toxicity, indirect)": "off"
        if {section.detectors.injection, section.detectors.toxicity, section.detectors.indirect} == {"off"}
        else "on",
        "toxic answers": section.answers.toxicity,
    }
    told = ", ".join(f"{what}: {action}" for what, action in done.items())
    if section.dry_run:
        return "guards", "weak", f"dry_run: nothing is refused, replaced or left out ({told})"
    weak = "off" in (section.injection, section.harm)
    return "guards", "weak" if weak else "ok", told


def stores(settings: Settings) -> list[Check]:
    """Whether the database and the Redis that are named can be reached. The checks change nothing there."""
    from mainspring.stores.sql import database, redis

    async def ping_redis() -> None:
        async with redis.open(settings):
            pass

    async def ping_database() -> None:
        await database.ping(settings)

    checks: list[Check] = []
    for what, named, ping in (
        ("database", settings.stores.database, ping_database),
        ("redis", settings.stores.redis, ping_redis),
    ):
        if named:
            try:
                asyncio.run(asyncio.wait_for(ping(), PATIENCE_S))
            except MainspringError as error:
                checks.append((what, "wrong", str(error)))
            except TimeoutError:
                checks.append((what, "wrong", f"no answer within {PATIENCE_S:g} s: see stores.{what}"))
            else:
                checks.append((what, "ok", "it answers"))
    return checks


def _named(summariser: str) -> str:
    return "" if summariser in ("auto", "extractive") else summariser
