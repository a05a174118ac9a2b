"""The built-in engines, registered as any plugin registers its own, and the models that settings name."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from mainspring.core import plugins
from mainspring.core.errors import ModelNotPulled
from mainspring.core.plugins import Kind, Registry, hookimpl
from mainspring.core.settings import Settings
from mainspring.core.settings.endpoints import RemoteModel, RemoteReplica, VllmModel, VllmRemote
from mainspring.engines.base import Embedder, Engine, Reranker
from mainspring.engines.catalogue import fim
from mainspring.engines.catalogue.entries import ModelEntry
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.chat.chat_model import ChatModel, Replica
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.chat.template import ChatTemplate
from mainspring.engines.kinds import CHAT_RERANKER, EMBEDDER, ENGINE, PROVIDER, RERANKER

if TYPE_CHECKING:
    from mainspring.engines.encode.late_interaction import LateInteraction

log = logging.getLogger("mainspring.engines")
T = TypeVar("T")


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory(pulled, settings) -> Engine``."""
    registry.add(ENGINE, "openvino", _openvino)
    registry.add(ENGINE, "llamacpp", _llamacpp)
    registry.add(PROVIDER, "openai", _openai)
    registry.add(PROVIDER, "vllm", _vllm)
    for name in ("gemini", "cohere", "bedrock", "azure"):
        registry.add(PROVIDER, name, _native)


def local_models(settings: Settings, registry: Registry) -> list[ChatModel]:
    """The pulled chat models of ``models.chat`` behind the engine that ``engines.kind`` names.

    Raises ``ModelNotPulled``, ``UnknownModel``, ``SettingsError``.
    """
    puller = Puller(settings)
    models = []
    for name in settings.models.chat:
        pulled = puller.local(name)
        count = settings.models.replicas.get(name, 1)
        shared = _divided(_cached(settings, pulled.entry), count)
        engines: list[Engine] = [registry.make(ENGINE, settings.engines.kind, pulled, shared) for _ in range(count)]
        template = None
        if pulled.chat_template is not None:
            special = pulled.special_tokens
            template = ChatTemplate(
                pulled.chat_template, bos_token=special.get("bos", ""), eos_token=special.get("eos", "")
            )
        entry = pulled.entry
        responders = [_responder(engine, name, settings, pulled.fingerprint, template, entry) for engine in engines]
        replicas = [
            Replica(str(number), *both, region=settings.models.region)
            for number, both in enumerate(zip(engines, responders, strict=True), 1)
        ]
        models.append(
            ChatModel(
                name,
                engines[0],
                responders[0],
                pulled.grounded,
                f"mainspring.{settings.engines.kind}",
                entry.price_input,
                entry.price_output,
                pulled.pulled_at,
                tuple(replicas),
                entry.notes,
            )
        )
    return models


def remote_models(settings: Settings) -> list[ChatModel]:
    """The models of ``models.remote``."""
    if not settings.models.remote:
        # Their HTTP client takes a fifth of a second of every start.
        return []
    models = []
    for name, remote in settings.models.remote.items():
        endpoints = remote.endpoints()
        replicas = []
        for shown, endpoint in zip(_names(endpoints), endpoints, strict=True):
            own = remote.model_copy(
                update={"url": endpoint.url, "model": endpoint.model, "api_key": endpoint.api_key, "replicas": ()}
            )
            # If there are other replicas, a call does not wait for one that refuses connections.
            engine = plugins.registry().make(PROVIDER, remote.provider, name, own, 0 if remote.replicas else 2)
            responder = _responder(engine, name, settings, remote.fingerprint or None, None)
            replicas.append(
                Replica(
                    shown,
                    engine,
                    responder,
                    local=False,
                    weight=endpoint.weight,
                    concurrency=endpoint.concurrency,
                    patience_s=remote.first_token_timeout_s,
                    region=endpoint.region,
                )
            )
        models.append(
            ChatModel(
                name,
                replicas[0].engine,
                replicas[0].responder,
                remote.grounded,
                remote.provider,
                remote.price_input,
                remote.price_output,
                replicas=tuple(replicas),
            )
        )
    return models


def vllm_models(settings: Settings) -> list[ChatModel]:
    """The models of ``models.vllm``."""
    if not settings.models.vllm:
        return []
    models = []
    for name, configured in settings.models.vllm.items():
        remote = VllmRemote(model=configured.model, provider="vllm", server=configured)
        retries = 2 if configured.url else 0
        engines = [
            plugins.registry().make(PROVIDER, remote.provider, name, remote, retries)
            for _ in range(configured.replicas)
        ]
        replicas = [
            Replica(
                str(number),
                engine,
                _responder(engine, name, settings, configured.fingerprint or None, None),
                # A server that is started here reports whether it runs; the state of another one shows only in its
                # answers.
                local=not configured.url,
                patience_s=configured.first_token_timeout_s,
                region=configured.region or ("" if configured.url else settings.models.region),
            )
            for number, engine in enumerate(engines, 1)
        ]
        models.append(
            ChatModel(
                name,
                engines[0],
                replicas[0].responder,
                configured.grounded,
                "vllm",
                configured.price_input,
                configured.price_output,
                replicas=tuple(replicas),
            )
        )
    return models


def _names(endpoints: Sequence[RemoteReplica]) -> list[str]:
    """A name for each endpoint: its own, or its host, with a number where two would be the same."""
    found: list[str] = []
    for endpoint in endpoints:
        name = chosen = endpoint.name or urlsplit(endpoint.url).netloc.rpartition("@")[2] or "endpoint"
        number = 2
        while chosen in found:
            chosen, number = f"{name}-{number}", number + 1
        found.append(chosen)
    return found


def _cached(settings: Settings, entry: ModelEntry) -> Settings:
    """``settings`` with the cache size in tokens from the model's entry, unless the settings name one."""
    if not entry.kv_tokens or "kv_tokens" in settings.engines.model_fields_set:
        return settings
    return settings.model_copy(update={"engines": settings.engines.model_copy(update={"kv_tokens": entry.kv_tokens})})


def _divided(settings: Settings, count: int) -> Settings:
    """Settings for each of ``count`` engines that share the cores."""
    if count == 1:
        return settings
    cores = settings.engines.threads or len(os.sched_getaffinity(0))
    engines = settings.engines.model_copy(update={"threads": max(1, cores // count)})
    return settings.model_copy(update={"engines": engines})


async def embedder(settings: Settings) -> Embedder:
    """The embedder of ``models.embedding``. Raises ``ModelNotPulled``."""
    made = embedders(settings)(settings.models.embedding)
    if (start := getattr(made, "start", None)) is not None:
        await start()
    return made


def embedders(settings: Settings) -> Callable[[str], Embedder]:
    """Makes embedders by what ``models.embedding`` may be; one of the catalogue loads its graph at the first use."""

    def make(text: str) -> Embedder:
        name, model = _named(EMBEDDER, text, "openvino")
        return plugins.registry().make(EMBEDDER, name, model, settings)

    return make


def words(settings: Settings) -> LateInteraction:
    """The token reader with the model of ``models.embedding``. Raises ``ModelNotPulled``."""
    from mainspring.engines.encode.late_interaction import LateInteraction

    return LateInteraction(Puller(settings).local(settings.models.embedding), settings.engines.threads)


def reranker(settings: Settings) -> Reranker | None:
    """The reranker in ``models.reranker``; its graph is loaded on first use.

    Raises ``ModelNotPulled``, ``UnknownModel``, and ``ModelError`` for a model of another kind.
    """
    name = settings.models.reranker
    if not name or chat_reranker(settings)[0]:
        # A chat model that reranks is asked through its call ring, which the rag room knows.
        return None
    if settings.models.late:
        return plugins.registry().make(RERANKER, "late", name, settings)
    return reranking(name, settings)


def chat_reranker(settings: Settings) -> tuple[str, str]:
    """NAME and MODEL of ``models.reranker: NAME:MODEL`` where NAME has a chat model rerank; empty if none does."""
    models = settings.models
    name, found, model = models.reranker.partition(":")
    if not found or models.late or models.reranker in models.remote_rerankers:
        return "", ""
    return (name, model) if plugins.registry().has(CHAT_RERANKER, name) else ("", "")


def reader(settings: Settings) -> Reranker | None:
    """The reranker in ``models.answers``; its graph is loaded on first use. None, with a warning, if the model is not
    pulled: then words and cosines choose the sentences.

    Raises ``UnknownModel``, and ``ModelError`` for a model of another kind.
    """
    name = settings.models.answers
    if not name:
        return None
    try:
        return reranking(name, settings)
    except ModelNotPulled as error:
        log.warning("sentences of answers are chosen without a reranker: %s", error)
        return None


def near_misses(settings: Settings) -> Reranker | None:
    """The reader in ``models.near_misses``; its graph is loaded on first use. None, with a warning, if it is not
    pulled: then rules alone refuse near misses.

    Raises ``UnknownModel``, and ``ModelError`` for a model of another kind.
    """
    name = settings.models.near_misses
    if not name:
        return None
    try:
        return plugins.registry().make(RERANKER, "reader", name, settings)
    except ModelNotPulled as error:
        log.warning("near misses are told by rules alone: %s", error)
        return None


def reranking(text: str, settings: Settings) -> Reranker:
    """The reranker of this name; its graph is loaded on first use. Raises ``ModelNotPulled``, ``UnknownModel``,
    ``ModelError``."""
    if text in settings.models.remote_rerankers:
        return plugins.registry().make(RERANKER, "remote", text, settings)
    name, model = _named(RERANKER, text, "cross-encoder")
    return plugins.registry().make(RERANKER, name, model, settings)


def _named(kind: Kind[[str, Settings], T], text: str, default: str) -> tuple[str, str]:
    """``NAME:MODEL`` as the part of that name and its model; what names no part is a model of ``default``."""
    name, found, model = text.partition(":")
    return (name, model) if found and plugins.registry().has(kind, name) else (default, text)


def _responder(
    engine: Engine,
    name: str,
    settings: Settings,
    fingerprint: str | None,
    template: ChatTemplate | None,
    entry: ModelEntry | None = None,
) -> ModelResponder:
    return ModelResponder(
        engine,
        model_name=name,
        fingerprint=fingerprint,
        template=template,
        default_output_tokens=settings.serving.default_output_tokens or (entry.default_output_tokens if entry else 0),
        max_output_tokens=settings.serving.output_limit(name),
        stop=entry.stop if entry else (),
        drawn=entry.sampling.given() if entry else {},
        fim=(entry.fim if entry else None) or fim.of_model(name),
    )


def _openvino(pulled: PulledModel, settings: Settings) -> Engine:
    from mainspring.engines.openvino.engine import OpenVinoEngine

    draft = Puller(settings).local(settings.engines.draft_model) if settings.engines.speculation == "draft" else None
    return OpenVinoEngine(pulled, settings.engines, pulled.entry.name, pulled.entry.context_window, draft)


def _openai(name: str, remote: RemoteModel, retries: int) -> Engine:
    from mainspring.engines.remote.engine import RemoteEngine

    return RemoteEngine(name, remote, retries=retries)


def _vllm(name: str, remote: RemoteModel, retries: int) -> Engine:
    from mainspring.engines.remote.vllm import VllmEngine

    return VllmEngine(name, remote.server if isinstance(remote, VllmRemote) else VllmModel.at(remote), retries=retries)


def _native(name: str, remote: RemoteModel, retries: int) -> Engine:
    from mainspring.engines.remote.native import NativeEngine

    return NativeEngine(name, remote, retries)


def _llamacpp(pulled: PulledModel, settings: Settings) -> Engine:
    from mainspring.engines.llamacpp.engine import LlamaCppEngine

    return LlamaCppEngine(pulled, settings.engines, pulled.entry.name, pulled.entry.context_window)
