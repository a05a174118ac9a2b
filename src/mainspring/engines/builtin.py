"""The built-in engines, registered as any plugin registers its own, and the models that settings name."""

from __future__ import annotations

from collections.abc import Callable

from mainspring.engines import ChatModel
from mainspring.engines.base import Engine, Reranker
from mainspring.engines.embedder import OpenVinoEmbedder
from mainspring.engines.model import ModelResponder
from mainspring.engines.pull import PulledModel, Puller
from mainspring.engines.template import ChatTemplate
from mainspring.plugins import Registry, hookimpl
from mainspring.settings import Settings


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory(pulled, settings) -> Engine``."""
    registry.add("engine", "openvino", _openvino)
    registry.add("engine", "llamacpp", _llamacpp)


def local_models(settings: Settings, registry: Registry) -> list[ChatModel]:
    """The pulled chat models of ``models.chat`` behind the engine that ``engines.kind`` names.

    Raises ``ModelNotPulled``, ``UnknownModel``, ``SettingsError``.
    """
    factory = registry.get("engine", settings.engines.kind)
    puller = Puller(settings)
    models = []
    for name in settings.models.chat:
        pulled = puller.local(name)
        engine: Engine = factory(pulled, settings)
        template = None
        if pulled.chat_template is not None:
            special = pulled.special_tokens
            template = ChatTemplate(
                pulled.chat_template, bos_token=special.get("bos", ""), eos_token=special.get("eos", "")
            )
        entry = pulled.entry
        responder = _responder(engine, name, settings, pulled.fingerprint, template, entry.stop)
        models.append(
            ChatModel(
                name,
                engine,
                responder,
                entry.grounded,
                f"mainspring.{settings.engines.kind}",
                entry.price_input,
                entry.price_output,
                pulled.pulled_at,
            )
        )
    return models


def remote_models(settings: Settings) -> list[ChatModel]:
    """The models of ``models.remote``."""
    if not settings.models.remote:
        # Their HTTP client takes a fifth of a second of every start.
        return []
    from mainspring.engines.remote import RemoteEngine

    models = []
    for name, remote in settings.models.remote.items():
        engine = RemoteEngine(name, remote)
        responder = _responder(engine, name, settings, None, None)
        models.append(
            ChatModel(name, engine, responder, remote.grounded, "openai", remote.price_input, remote.price_output)
        )
    return models


async def embedder(settings: Settings) -> OpenVinoEmbedder:
    """The embedder of ``models.embedding``. Raises ``ModelNotPulled``."""
    made = OpenVinoEmbedder(Puller(settings).local(settings.models.embedding), settings.engines.threads)
    await made.start()
    return made


def embedders(settings: Settings) -> Callable[[str], OpenVinoEmbedder]:
    """Makes embedders of the catalogue by name; each loads its graph at the first use."""
    return lambda name: OpenVinoEmbedder(Puller(settings).local(name), settings.engines.threads)


def reranker(settings: Settings) -> Reranker | None:
    """What ``models.reranker`` names; its graph is loaded at the first use.

    Raises ``ModelNotPulled``, ``UnknownModel``, and ``ModelError`` for a model of another kind.
    """
    from mainspring.engines.late import LateInteraction, Together
    from mainspring.engines.reranker import CrossEncoder, RemoteReranker

    name = settings.models.reranker
    if not name or settings.models.listwise:
        # A chat model that reranks is asked through its call ring, which the rag room knows.
        return None
    if name in settings.models.remote_rerankers:
        return RemoteReranker(settings.models.remote_rerankers[name])
    puller = Puller(settings)
    if settings.models.late:
        parts = [LateInteraction(puller.local(each), settings.engines.threads) for each in settings.models.late]
        return parts[0] if len(parts) == 1 else Together(parts)
    return CrossEncoder(puller.local(name), settings.engines.threads)


def _responder(
    engine: Engine,
    name: str,
    settings: Settings,
    fingerprint: str | None,
    template: ChatTemplate | None,
    stop: tuple[str, ...] = (),
) -> ModelResponder:
    return ModelResponder(
        engine,
        model_name=name,
        fingerprint=fingerprint,
        template=template,
        default_output_tokens=settings.serving.default_output_tokens,
        max_output_tokens=settings.serving.max_output_tokens,
        stop=stop,
    )


def _openvino(pulled: PulledModel, settings: Settings) -> Engine:
    from mainspring.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(pulled, settings.engines, pulled.entry.name, pulled.entry.context_window)


def _llamacpp(pulled: PulledModel, settings: Settings) -> Engine:
    from mainspring.engines.llamacpp import LlamaCppEngine

    return LlamaCppEngine(pulled, settings.engines, pulled.entry.name, pulled.entry.context_window)
