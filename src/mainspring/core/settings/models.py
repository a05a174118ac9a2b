"""Settings of models: which are served, and where they lie."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, model_validator

import mainspring.core.settings.places as places
from mainspring.core.settings.endpoints import REGION, RemoteModel, RemoteReranker, VllmModel
from mainspring.core.settings.section import Section


class ModelsSettings(Section):
    """Which models are served. Names are catalogue names; ``catalogues`` are further catalogue files.

    ``reranker`` is ``late`` (late interaction with the embedding model), ``late:`` and the name of another embedding
    model, ``late+`` and such a name (both together), a reranker of the catalogue, a key of ``remote_rerankers``,
    ``listwise:`` and the name of a chat model, or empty: none. ``layout`` finds the regions of pages where
    ``rag.parser`` is ``layout-model``. ``replicas`` says how many engines of a model of ``chat`` run side by side.
    """

    directory: Path = Field(default_factory=lambda: places.cache() / "models")
    chat: tuple[str, ...] = ("smollm2-135m-instruct",)
    larger: str = Field(
        "qwen2.5-coder-1.5b-instruct",
        description="chat model that `mainspring up` serves beside the default if `chat` is not set and the machine "
        "has enough memory; empty: none",
    )
    embedding: str = "all-minilm-l6-v2"
    catalogues: tuple[Path, ...] = ()
    hub: str = Field(
        "https://huggingface.co", pattern=r"^https?://", description="address of the hub for `hf:` sources"
    )
    reranker: str = "late"
    answers: str = Field("", description="reranker for the sentences of answers; empty: none")
    near_misses: str = Field(
        "near-miss-reader",
        description="reader that judges whether the found passages answer a question; empty: none",
    )
    layout: str = "pp-layout-cdla"
    region: str = Field("", pattern=REGION, description="region of this machine and everything that runs on it")
    replicas: dict[str, int] = Field(default_factory=dict)
    remote: dict[str, RemoteModel] = Field(default_factory=dict)
    vllm: dict[str, VllmModel] = Field(default_factory=dict)
    remote_rerankers: dict[str, RemoteReranker] = Field(default_factory=dict)

    @property
    def listwise(self) -> str:
        """The chat model that reranks; empty if no chat model does."""
        _, _, model = self.reranker.partition(":")
        elsewhere = self.late or self.reranker in self.remote_rerankers
        return model if model in self.chatting and not elsewhere else ""

    @property
    def late(self) -> tuple[str, ...]:
        """The embedding models that rerank by late interaction; () if another model reranks."""
        if self.reranker in self.remote_rerankers or not re.match(r"late($|[:+])", self.reranker):
            return ()
        names = self.reranker[len("late:") :].split("+") if self.reranker != "late" else []
        if not self.reranker.startswith("late:"):
            names.insert(0, self.embedding)
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _late_is_named(self) -> ModelsSettings:
        if "" in self.late:
            raise ValueError(f"reranker {self.reranker} lacks the name of an embedding model, as in late+NAME")
        if any(":" in name for name in self.late):
            raise ValueError(
                f"reranker {self.reranker} needs an embedding model of the catalogue, not {self.embedding}"
            )
        return self

    @model_validator(mode="after")
    def _listwise_is_served(self) -> ModelsSettings:
        if self.reranker.startswith("listwise:") and not self.listwise:
            raise ValueError(f"reranker {self.reranker} needs a model of models.chat or models.remote")
        return self

    @model_validator(mode="after")
    def _replicas_are_of_chat_models(self) -> ModelsSettings:
        for name, count in self.replicas.items():
            if name not in self.chat:
                raise ValueError(f"replicas: {name} is not in models.chat")
            if count < 1:
                raise ValueError(f"replicas: {name} needs at least 1")
        return self

    @property
    def chatting(self) -> tuple[str, ...]:
        """The names of all chat models, wherever they run."""
        return (*self.chat, *self.remote, *self.vllm)

    @property
    def dispensable(self) -> frozenset[str]:
        """Those of ``local`` without which everything is served: answers are chosen and refused by rules alone then."""
        return frozenset({self.answers, self.near_misses} - {"", self.embedding, self.reranker, *self.chat})

    @property
    def local(self) -> tuple[str, ...]:
        """The catalogue names of everything that is configured to run here."""
        elsewhere = {"", *self.remote_rerankers}
        rerankers = self.late or (() if self.reranker in elsewhere or self.listwise else (self.reranker,))
        answers = () if self.answers in elsewhere else (self.answers,)
        near_misses = (self.near_misses,) if self.near_misses else ()
        named = (*self.chat, self.embedding, *rerankers, *answers, *near_misses)
        # A plugin's model is written NAME:MODEL and is never pulled.
        return tuple(dict.fromkeys(name for name in named if ":" not in name))
