"""Settings of endpoints: models that run elsewhere, or in a server of their own that is started here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.money import Usd

REGION = r"^([a-z0-9][a-z0-9-]{0,31})?$"
"""How regions are written; empty: not said."""
ExtraParameter = Literal["top_k", "min_p", "repetition_penalty", "ignore_eos"]


class RemoteReplica(Section):
    """A further endpoint of a remote model. An empty field takes the model's value. Of two replicas one with twice the
    ``weight`` gets twice the work; at most ``concurrency`` answers run there at a time (0: any number)."""

    url: str
    model: str = ""
    api_key: str = Field("", repr=False)
    name: str = Field(
        "", pattern=r"^[\w.:-]*$", description="its name in headers, metrics and commands; default: its host"
    )
    weight: float = Field(1.0, gt=0)
    concurrency: int = Field(0, ge=0)
    region: str = Field("", pattern=REGION)


class RemoteModel(Section):
    """A model of an OpenAI-compatible endpoint, served here under its key in ``models.remote``. Another ``provider``
    speaks another protocol, and may know its own ``url``; ``options`` are for its client.

    ``replicas`` are further endpoints of the same model. ``fingerprint`` names its weights: only with one may answers
    be cached.
    """

    url: str = ""
    model: str
    provider: str = Field(
        "openai", description="openai, vllm, or gemini, cohere, bedrock, azure with the extra `providers`"
    )
    options: dict[str, str] = Field(
        default_factory=dict, description="options of the provider's client, such as region_name"
    )
    api_key: str = Field("", repr=False)
    context_window: int = Field(32768, gt=0)
    grounded: bool = True
    parameters: tuple[ExtraParameter, ...] = Field(
        (),
        description="sampling parameters that the endpoint supports beyond OpenAI's (vLLM and llama.cpp support these)",
    )
    grammars: tuple[Literal["json_schema"], ...] = Field(
        ("json_schema",), description="response formats that the endpoint enforces; (): answers are validated here"
    )
    price_input: Usd = Field(0.0, description="US dollars per million tokens")
    price_output: Usd = Field(0.0, description="US dollars per million tokens")
    replicas: tuple[RemoteReplica, ...] = ()
    weight: float = Field(1.0, gt=0, description="weight of this endpoint beside its replicas")
    concurrency: int = Field(0, ge=0, description="concurrent answers at this endpoint; 0: unlimited")
    first_token_timeout_s: float = Field(
        60.0, gt=0, description="seconds without a first token after which an endpoint counts as stalled"
    )
    silence_timeout_s: float = Field(300.0, gt=0, description="maximum seconds between two pieces of an answer")
    fingerprint: str = ""
    images: bool = Field(False, description="whether the model reads images in messages; guards read only text")
    region: str = Field(
        "", pattern=REGION, description="its region; requests that require a region are sent only there"
    )

    @model_validator(mode="after")
    def _openai_is_somewhere(self) -> RemoteModel:
        if self.provider in ("openai", "vllm") and not self.url:
            raise ValueError("url is missing: set it to the URL of the OpenAI-compatible endpoint")
        return self

    def endpoints(self) -> tuple[RemoteReplica, ...]:
        """All endpoints, this one first, with every empty field except the name filled in."""
        first = RemoteReplica(
            url=self.url,
            model=self.model,
            api_key=self.api_key,
            weight=self.weight,
            concurrency=self.concurrency,
            region=self.region,
        )
        others = [
            each.model_copy(update={"model": each.model or self.model, "api_key": each.api_key or self.api_key})
            for each in self.replicas
        ]
        return (first, *others)


class RemoteReranker(Section):
    """A ``POST /rerank`` endpoint in the style of Cohere and Jina; ``url`` is the whole address."""

    url: str = Field(pattern=r"^https?://")
    model: str
    api_key: str = Field("", repr=False)
    timeout_s: float = Field(30.0, gt=0)
    region: str = Field("", pattern=REGION)


class VllmModel(Section):
    """A model behind vLLM: a running server at ``url``, or one that is started and supervised here.

    ``model`` is a folder or a hub name that ``vllm serve`` loads; ``arguments`` are further arguments of its command
    line; ``command`` starts it. ``replicas`` servers are started, each on a port of its own.
    """

    model: str
    url: str = ""
    api_key: str = Field("", repr=False)
    command: tuple[str, ...] = ("vllm", "serve")
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    replicas: int = Field(1, ge=1)
    context_window: int = Field(32768, gt=0)
    grounded: bool = True
    price_input: Usd = Field(0.0, description="US dollars per million tokens")
    price_output: Usd = Field(0.0, description="US dollars per million tokens")
    start_timeout_s: float = Field(600.0, gt=0)
    first_token_timeout_s: float = Field(60.0, gt=0)
    silence_timeout_s: float = Field(300.0, gt=0)
    fingerprint: str = ""
    region: str = Field("", pattern=REGION, description="its region; default: models.region if it is started here")

    @model_validator(mode="after")
    def _one_of_both(self) -> VllmModel:
        if self.url and (self.arguments or self.environment or self.replicas > 1):
            raise ValueError("arguments, environment and replicas are for a server that is started here, without url")
        return self

    @classmethod
    def at(cls, remote: RemoteModel) -> VllmModel:
        """The server behind an entry of ``models.remote``."""
        return cls(
            model=remote.model,
            url=remote.url,
            api_key=remote.api_key,
            context_window=remote.context_window,
            first_token_timeout_s=remote.first_token_timeout_s,
            silence_timeout_s=remote.silence_timeout_s,
        )


class VllmRemote(RemoteModel):
    """What an entry of ``models.vllm`` gives to the provider ``vllm``: all of it is in ``server``, and a server that is
    started here has no ``url``."""

    url: str = "http://vllm/v1"
    server: VllmModel
