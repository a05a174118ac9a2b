"""Models that are configured and not on this machine, pulled with a progress bar."""

from __future__ import annotations

import sys

from mainspring.core.errors import MainspringError, ModelNotPulled
from mainspring.core.settings import Settings
from mainspring.terminal import show


def pull_missing(settings: Settings) -> None:
    """Pull every configured model that is not on this machine. Raises ``ModelError`` and the errors of its sources; one
    without which answers go on may be missing, which is told."""
    from mainspring.engines.catalogue.pull import Puller

    puller = Puller(settings)
    for name in settings.local_models:
        try:
            puller.local(name)
        except ModelNotPulled:
            sys.stderr.write(f"Pulling {name} (once) ...\n")
            try:
                with show.progress() as progress:
                    puller.pull(name, progress)
            except MainspringError as error:
                go_on_without(name, settings, error)


def go_on_without(name: str, settings: Settings, error: MainspringError) -> None:
    """Tell that a configured model is not used. Raises ``error``, why it was not pulled, for one that is needed."""
    if name not in settings.models.dispensable:
        raise error
    sys.stderr.write(f"{name} is not used, for it cannot be had now: {error.message}\n")


def without_chat(settings: Settings) -> Settings:
    """The same settings with only those chat models that would write the answer: no others are loaded."""
    from mainspring.engines.catalogue.pull import Puller

    if settings.rag.mode == "extractive":
        wanted: tuple[str, ...] = ()
    elif settings.rag.mode == "generative":
        wanted = settings.models.chat
    else:
        puller = Puller(settings)
        wanted = tuple(name for name in settings.models.chat if puller.grounded(name))
    # The reranking chat model is needed whichever model writes.
    if settings.models.listwise in settings.models.chat and settings.models.listwise not in wanted:
        wanted = (*wanted, settings.models.listwise)
    return settings.model_copy(update={"models": settings.models.model_copy(update={"chat": wanted})})
