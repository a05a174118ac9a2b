"""``mainspring models grade``: asks a model of this machine, or a remote one, the questions of
``engines.catalogue.grade``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mainspring.core import plugins
from mainspring.core.errors import InvalidRequest
from mainspring.core.settings import load
from mainspring.engines import builtin, filled
from mainspring.engines.catalogue import grade
from mainspring.engines.catalogue.larger_model import with_chat
from mainspring.engines.catalogue.pull import Puller
from mainspring.terminal import show


async def graded(config: Path | None, name: str) -> tuple[grade.Grade, bool]:
    """The grade of ``name``, and whether it was stored with the model.

    Raises ``UnknownModel``, ``ModelNotPulled``, ``InvalidRequest`` for a model that is no chat model, and the model's
    errors.
    """
    settings = await filled(load(config).settings)
    elsewhere = {model.name: model for model in builtin.remote_models(settings)}
    pulled = None
    if name in elsewhere:
        model = elsewhere[name]
    else:
        pulled = Puller(settings).local(name)
        if pulled.entry.kind != "chat":
            raise InvalidRequest(f"{name} is a {pulled.entry.kind} model and writes nothing", param="name")
        (model,) = builtin.local_models(with_chat(settings, (name,)), plugins.registry())
    engines = [replica.engine for each in {name: model, **elsewhere}.values() for replica in each.all_replicas()]
    try:
        await model.engine.start()
        with show.progress() as progress:
            found = await grade.grade(
                model.responder,
                name,
                fingerprint=pulled.fingerprint if pulled else "",
                progress=lambda done, total: progress("ask", done, total),
            )
    finally:
        await asyncio.gather(*(engine.close() for engine in engines))
    if pulled is not None:
        grade.write(pulled.directory, found)
    return found, pulled is not None
