"""The built-in embedder and rerankers, registered as any plugin registers its own."""

from __future__ import annotations

from mainspring.core.plugins import Registry, hookimpl
from mainspring.core.settings import Settings
from mainspring.engines.base import Embedder, Reranker
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.kinds import EMBEDDER, RERANKER


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory(model, settings)``, whose graphs are loaded at the first use."""
    registry.add(EMBEDDER, "openvino", _openvino)
    registry.add(RERANKER, "late", _late)
    registry.add(RERANKER, "remote", _remote)
    registry.add(RERANKER, "cross-encoder", _cross_encoder)
    registry.add(RERANKER, "reader", _reader)


def _openvino(model: str, settings: Settings) -> Embedder:
    from mainspring.engines.encode.embedder import OpenVinoEmbedder

    return OpenVinoEmbedder(Puller(settings).local(model), settings.engines.threads)


def _late(model: str, settings: Settings) -> Reranker:  # noqa: ARG001
    """All models that ``models.late`` names."""
    from mainspring.engines.encode.late_interaction import CombinedReranker, LateInteraction

    puller = Puller(settings)
    parts = [LateInteraction(puller.local(each), settings.engines.threads) for each in settings.models.late]
    return parts[0] if len(parts) == 1 else CombinedReranker(parts)


def _remote(model: str, settings: Settings) -> Reranker:
    from mainspring.engines.encode.reranker import RemoteReranker

    return RemoteReranker(settings.models.remote_rerankers[model])


def _cross_encoder(model: str, settings: Settings) -> Reranker:
    from mainspring.engines.encode.reranker import CrossEncoder

    return CrossEncoder(Puller(settings).local(model), settings.engines.threads)


def _reader(model: str, settings: Settings) -> Reranker:
    from mainspring.engines.encode.reader import PassageReader

    return PassageReader(Puller(settings).local(model), settings.engines.threads)
