"""The one typed configuration: defaults, then ``mainspring.yaml``, then ``MAINSPRING_*`` environment variables.

Nothing else in the package reads the environment. Sections are named after the rooms. Environment names join
section and key with two underscores: ``MAINSPRING_GATEWAY__PORT=9000``. An unknown key or name is an error
that suggests the nearest one; ``mainspring doctor`` prints every value and where it came from.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from mainspring import references, routing
from mainspring.endpoints import RemoteModel, RemoteReranker, VllmModel
from mainspring.errors import SettingsError
from mainspring.queueing import AdmissionSettings
from mainspring.scaling import ScaledModel
from mainspring.sections import PricesSettings, Section, TelemetrySettings, Tier

PREFIX = "MAINSPRING_"
CONFIG_NAME = "mainspring.yaml"
# Names with our prefix that are not settings: where the configuration lies, and the benchmarks' data sets.
OTHER_NAMES = frozenset({"MAINSPRING_CONFIG", "MAINSPRING_DATA", "MAINSPRING_API_KEY", "MAINSPRING_URL"})


# Settings whose keys are names of the user's.
_MAPPINGS = (
    *("models.remote.", "models.remote_rerankers.", "models.replicas.", "models.vllm."),
    *("serving.presets.", "serving.default_presets.", "serving.scaled.", "serving.routes."),
    *("serving.admission.shares.", "serving.admission.tiers."),
)


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mainspring"


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "mainspring"


class GatewaySettings(Section):
    """The HTTP server. Sizes in bytes, times in seconds."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    max_body_bytes: int = Field(8 * 2**20, gt=0)
    max_upload_bytes: int = Field(64 * 2**20, gt=0)
    max_messages: int = Field(512, gt=0)
    max_embedding_inputs: int = Field(2048, gt=0)
    request_timeout_s: float = Field(300.0, gt=0)
    read_timeout_s: float = Field(
        30.0, gt=0, description="for the headers of a request, and for its body beyond a second per 4 KiB"
    )
    shutdown_grace_s: float = Field(30.0, ge=0)
    heartbeat_s: float = Field(15.0, ge=0, description="silence in a stream until a comment line is sent; 0: never")


class ModelsSettings(Section):
    """Which models are served. Names are catalogue names; ``catalogues`` are further catalogue files.

    ``reranker`` is ``late`` (late interaction with the embedding model), ``late:`` and the name of another embedding
    model, ``late+`` and such a name (both together), a reranker of the catalogue, a key of ``remote_rerankers``,
    ``listwise:`` and the name of a chat model, or empty: none. ``layout`` finds the regions of pages where
    ``rag.parser`` is ``layout-model``. ``replicas`` says how many engines of a model of ``chat`` run side by side.
    """

    directory: Path = Field(default_factory=lambda: _cache_home() / "models")
    chat: tuple[str, ...] = ("smollm2-135m-instruct",)
    embedding: str = "all-minilm-l6-v2"
    catalogues: tuple[Path, ...] = ()
    hub: str = Field("https://huggingface.co", pattern=r"^https?://", description="where `hf:` sources lie")
    reranker: str = "late"
    layout: str = "pp-layout-cdla"
    replicas: dict[str, int] = Field(default_factory=dict)
    remote: dict[str, RemoteModel] = Field(default_factory=dict)
    vllm: dict[str, VllmModel] = Field(default_factory=dict)
    remote_rerankers: dict[str, RemoteReranker] = Field(default_factory=dict)

    @property
    def listwise(self) -> str:
        """The chat model that reranks; empty where none does."""
        kind, _, model = self.reranker.partition(":")
        return model if kind == "listwise" else ""

    @property
    def late(self) -> tuple[str, ...]:
        """The embedding models that rerank by late interaction; () where something else does."""
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
        return self

    @model_validator(mode="after")
    def _listwise_is_served(self) -> ModelsSettings:
        if self.reranker.startswith("listwise:") and self.listwise not in self.chatting:
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
    def local(self) -> tuple[str, ...]:
        """The catalogue names of everything that is configured to run here."""
        elsewhere = {"", *self.remote_rerankers}
        rerankers = self.late or (() if self.reranker in elsewhere or self.listwise else (self.reranker,))
        return tuple(dict.fromkeys((*self.chat, self.embedding, *rerankers)))


class EnginesSettings(Section):
    """The embedded engines. ``threads`` 0 takes all cores."""

    kind: str = "openvino"
    threads: int = Field(0, ge=0)
    embedders: int = Field(1, ge=1, description="embedders in memory at once beside models.embedding")
    max_sequences: int = Field(32, gt=0)
    max_waiting: int = Field(256, ge=0)
    kv_tokens: int = Field(65536, ge=1024)
    prefix_cache: bool = True
    precision: Literal["bf16", "f32"] = "bf16"
    speculation: Literal["off", "prompt_lookup", "draft"] = Field(
        "off", description="guesses that are checked several at once, on OpenVINO; takes the model's memory twice"
    )
    speculation_tokens: int = Field(5, ge=1, le=16, description="guesses of one step")
    draft_model: str = Field("", description="a smaller model of the same vocabulary, for speculation: draft")
    max_batched_tokens: int = Field(512, ge=32)
    start_timeout_s: float = Field(120.0, gt=0)
    step_timeout_s: float = Field(120.0, ge=2)


class StoresSettings(Section):
    """Where state lives. ``database`` is an SQLAlchemy URL; empty means SQLite under ``home``. ``vectors`` is where
    chunks live: in files under ``home`` (lance), or in the same Postgres as the rest, which needs pgvector. ``cache``
    is where answers are kept: in memory and a file under ``home``, or in ``redis``, which several servers may share."""

    database: str = ""
    vectors: Literal["lance", "postgres"] = "lance"
    redis: str = Field("", repr=False, description="redis://user:password@host:6379/0; empty: none")
    cache: Literal["file", "redis"] = "file"
    cache_entries: int = Field(10_000, gt=0)
    cache_ttl_s: float = Field(86_400.0, gt=0)

    @model_validator(mode="after")
    def _redis_is_named(self) -> StoresSettings:
        if self.cache == "redis" and not self.redis:
            raise ValueError("cache is redis, and stores.redis names none")
        return self


class Preset(Section):
    """Sampling parameters for a task; what is None is left to the model. ``source`` says where they come from."""

    description: str = ""
    source: str = ""
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, ge=0.1, le=10)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    beams: int | None = Field(None, ge=1, le=16)

    def parameters(self) -> dict[str, float]:
        """What it sets, by the names of ``types.Sampling``."""
        return self.model_dump(exclude={"description", "source"}, exclude_none=True)


class RouteRule(Section):
    """A rule of `serving.auto`: where all of its conditions hold, the model ``use`` answers.

    ``use`` is ``small``, ``large`` or the name of a chat model. ``words`` holds where one of them occurs as a whole
    word of the last user message, in any case; ``pattern`` is a regular expression looked for there.
    """

    use: str = Field(min_length=1)
    words: tuple[str, ...] = ()
    pattern: str = ""
    tokens_above: int | None = Field(None, ge=0, description="estimated tokens of the whole prompt")
    turns_above: int | None = Field(None, ge=0, description="messages of the user")
    tools: bool | None = Field(None, description="whether tools are offered")
    structured: bool | None = Field(None, description="whether a response_format is asked for")

    @field_validator("pattern")
    @classmethod
    def _is_an_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _says_when(self) -> RouteRule:
        conditions = (self.tokens_above, self.turns_above, self.tools, self.structured)
        if not self.words and not self.pattern and all(each is None for each in conditions):
            raise ValueError("a rule without a condition would always hold: give it one")
        return self


class AutoSettings(Section):
    """The model ``auto``: each request goes to a small or a large model.

    ``small`` and ``large`` are names of chat models; empty: the first and the last of ``models.chat`` and
    ``models.remote``. Rules come first, in order. Then ``policy`` decides: ``rules`` (the small one), ``classifier``
    (the large one where the small one's chance is below ``try_small_above``), ``cascade`` (the small one, and the large
    one where the small answer's confidence is below ``accept_above``), or ``hybrid`` (by the classifier where it is
    sure, else by the cascade).
    """

    small: str = ""
    large: str = ""
    rules: tuple[RouteRule, ...] = ()
    policy: Literal["rules", "classifier", "cascade", "hybrid"] = "cascade"
    classifier: Path | None = Field(None, description="file of `mainspring routes train`; none: the packaged one")
    try_small_above: float = Field(0.5, ge=0, le=1, description="chance of the small model, for classifier")
    sure_above: float = Field(0.8, ge=0, le=1, description="hybrid: the small one answers without a check")
    sure_below: float = Field(0.2, ge=0, le=1, description="hybrid: the large one answers at once")
    confidence: Literal["logprob", "agreement", "format", "judge"] = "logprob"
    accept_above: float = Field(0.8, ge=0, le=1)
    samples: int = Field(3, ge=2, le=16, description="further answers of the small model, for agreement")
    judge: str = Field("", description="chat model that judges, for confidence judge; empty: the large one")

    @model_validator(mode="after")
    def _ordered(self) -> AutoSettings:
        if self.sure_below > self.sure_above:
            raise ValueError("sure_below must not be above sure_above")
        return self


class ServingSettings(Section):
    """Limits of one API key and the policies of the rings. ``default_presets`` gives models and applications, by the
    name under which they are asked, the name of a preset; ``scaled`` are further names, each a model that is
    asked by a plan."""

    requests_per_minute: int = Field(600, gt=0)
    tokens_per_minute: int = Field(400_000, gt=0)
    requests_per_day: int = Field(0, ge=0, description="0: no limit")
    tiers: dict[str, Tier] = Field(default_factory=dict)
    max_output_tokens: int = Field(4096, gt=0)
    default_output_tokens: int = Field(512, gt=0)
    retries: int = Field(2, ge=0)
    cache_responses: bool = True
    repair_rounds: int = Field(2, ge=0, le=5, description="for models without grammars; 0: response_format is refused")
    max_samples: int = Field(16, ge=1, le=64, description="answers that one request may have written for scaling")
    scaled: dict[str, ScaledModel] = Field(default_factory=dict)
    semantic_cache: bool = Field(False, description="questions in other words may get the same cached answer")
    semantic_threshold: float = Field(
        0.93, gt=0.5, le=1, description="least cosine of their embeddings; `mainspring cache calibrate` finds it"
    )
    presets: dict[str, Preset] = Field(default_factory=dict)
    default_presets: dict[str, str] = Field(default_factory=dict)
    auto: AutoSettings = Field(default_factory=AutoSettings)
    share_limits: bool = Field(True, description="where stores.redis is named: rates are of all servers together")
    admission: AdmissionSettings = Field(default_factory=AdmissionSettings)
    balance: routing.BalanceSettings = Field(default_factory=routing.BalanceSettings)
    routes: dict[str, routing.RouteSettings] = Field(default_factory=dict)


class SessionsSettings(Section):
    """How conversations are remembered. Sizes in tokens of the model that is asked (docs/sessions.md)."""

    strategy: Literal["truncation", "window", "summary", "hierarchical"] = "truncation"
    max_tokens: int = Field(4096, ge=64, description="of history in a prompt, its summary and recalled turns included")
    first_turns: int = Field(1, ge=1, le=32, description="turns that `window` always keeps")
    summary_tokens: int = Field(512, ge=32)
    recalled_tokens: int = Field(768, ge=32)
    recalled_turns: int = Field(6, ge=1, le=64)
    summariser: str = Field(
        "auto",
        description="`extractive`, a chat model, or auto: a grounded one where there is one",
    )
    token_budget: int = Field(0, ge=0, description="tokens that a session may take in all; 0: any number")
    when_spent: Literal["refuse", "trim"] = Field(
        "refuse", description="trim: with less history and shorter answers until nothing is left"
    )


class BatchesSettings(Section):
    """Batch jobs (docs/batches.md): how many of their lines are answered at once in a process."""

    concurrency: int = Field(8, ge=1, description="while nobody else asks the engines")
    concurrency_busy: int = Field(1, ge=0, description="while somebody does; 0: batches wait")
    parallel: int = Field(4, ge=1, description="batches that are answered side by side")
    max_lines: int = Field(50_000, ge=1)
    max_bytes: int = Field(64 * 2**20, ge=1)
    lease_s: float = Field(30.0, ge=1, description="after this long others take up what a dead process left")
    retries: int = Field(8, ge=0, description="how often a line is tried again whose engine died")


PiiKind = Literal["canary", "secret", "iban", "credit_card", "ssn", "ip", "email", "phone"]
"""Kinds of personal data and credentials; of two found at the same place the earlier one here counts."""


class GuardsSettings(Section):
    """What the guards do with what they find.

    ``pii_output_kinds`` is what is redacted in answers: a list of kinds, or ``all``. Without ``ip``, ``email`` and
    ``phone``, which documents rightly hold, ordinary words of a stream need not wait for their end.
    """

    injection: Literal["off", "flag", "refuse"] = "flag"
    pii_input: Literal["off", "redact", "refuse"] = "redact"
    pii_output: Literal["off", "redact"] = "redact"
    pii_output_kinds: tuple[PiiKind, ...] = ("canary", "secret", "iban", "credit_card", "ssn")
    spotlight: bool = True

    @field_validator("pii_output_kinds", mode="before")
    @classmethod
    def _all_kinds(cls, value: Any) -> Any:
        return get_args(PiiKind) if value == "all" else value


Chunking = Literal[
    "structure",
    "fixed",
    "recursive",
    "sentence",
    "semantic",
    "code",
    "parent_child",
    "sentence_window",
    "auto",
]
"""How documents are cut into chunks; see ``mainspring.rag.chunk``."""


class RagSettings(Section):
    """Chunking and retrieval. Sizes in tokens of the embedding model."""

    chunk_tokens: int = Field(128, ge=32)
    chunk_overlap: int = Field(24, ge=0)
    chunker: Chunking = "structure"
    parent_tokens: int = Field(512, ge=32, description="what is read around a chunk that only is embedded")
    window_sentences: int = Field(2, ge=0, description="sentences on either side that sentence_window reads")
    semantic_percentile: float = Field(20.0, gt=0, le=100, description="share of boundaries where semantic may break")
    candidates: int = Field(50, gt=0)
    top_k: int = Field(5, gt=0)
    fusion: Literal["convex", "rrf"] = "convex"
    dense_weight: float = Field(0.55, ge=0, le=1)
    rerank_candidates: int = Field(20, ge=0, description="how many of the best are read again; 0: none")
    rerank_weight: float = Field(0.75, ge=0, description="of the reranker's score, beside 1 for the fused one")
    graph: Literal["off", "rules", "model"] = Field(
        "rules", description="what reads entities and relations at ingest; model: the first grounded chat model"
    )
    half_life_days: float = Field(
        0.0, ge=0, description="a document this much older counts half; 0: age does not count"
    )
    mode: Literal["auto", "extractive", "generative"] = "auto"
    refuse_below: float = Field(0.33, ge=0, le=1)
    calibration: Path | None = Field(None, description="file of `mainspring eval calibrate`: evidence and threshold")
    max_sentences: int = Field(3, gt=0)
    max_words: int = Field(90, gt=0)
    parse_timeout_s: float = Field(120.0, gt=0)
    parse_memory_mb: int = Field(2048, gt=0)
    parse_max_pages: int = Field(5000, gt=0)
    parser: Literal["auto", "rules", "layout", "layout-model"] = "auto"
    ocr: bool = True

    @field_validator("graph", mode="before")
    @classmethod
    def _graph_is_a_word(cls, value: object) -> object:
        # YAML reads a bare ``off`` as false.
        return "off" if value is False else value


class Settings(Section):
    """Everything that can be configured."""

    home: Path = Field(default_factory=_data_home)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    models: ModelsSettings = Field(default_factory=ModelsSettings)
    engines: EnginesSettings = Field(default_factory=EnginesSettings)
    stores: StoresSettings = Field(default_factory=StoresSettings)
    serving: ServingSettings = Field(default_factory=ServingSettings)
    prices: PricesSettings = Field(default_factory=PricesSettings)
    sessions: SessionsSettings = Field(default_factory=SessionsSettings)
    batches: BatchesSettings = Field(default_factory=BatchesSettings)
    guards: GuardsSettings = Field(default_factory=GuardsSettings)
    rag: RagSettings = Field(default_factory=RagSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)

    @model_validator(mode="after")
    def _routes_lead_to_models(self) -> Settings:
        if problem := routing.problem(self.serving.routes, self.models.chatting):
            raise ValueError(problem)
        return self

    @property
    def local_models(self) -> tuple[str, ...]:
        """The catalogue names of everything that is configured to run here."""
        return (*self.models.local, *((self.models.layout,) if self.rag.parser == "layout-model" else ()))


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with the origin of each dotted key that is not a default."""

    settings: Settings
    origins: Mapping[str, str]
    environment: Mapping[str, str]


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Loaded:
    """Read the configuration.

    ``path`` defaults to ``$MAINSPRING_CONFIG``, then ``./mainspring.yaml`` where it exists.
    Raises ``SettingsError`` naming the key, its origin and the nearest known key.
    """
    environment = os.environ if environment is None else environment
    origins: dict[str, str] = {}
    values = _read_file(path, environment, origins)
    for name, dotted, text in _read_environment(environment):
        _assign(values, dotted, _parse(text, name))
        origins[dotted] = f"environment {name}"
    try:
        return Loaded(Settings.model_validate(values), origins, dict(environment))
    except ValidationError as error:
        raise _explain(error, origins) from None


def describe(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """(dotted key, value, origin) of every setting, secrets masked, in the order of definition."""

    def walk(section: BaseModel, prefix: str) -> Iterator[tuple[str, str, str]]:
        for name, info in type(section).model_fields.items():
            dotted, value = f"{prefix}{name}", getattr(section, name)
            if isinstance(value, BaseModel):
                yield from walk(value, f"{dotted}.")
            else:
                shown = "********" if not info.repr and value else str(value)
                yield dotted, shown, loaded.origins.get(dotted, "default")

    return walk(loaded.settings, "")


def _read_file(path: Path | None, environment: Mapping[str, str], origins: dict[str, str]) -> dict[str, Any]:
    chosen = path or (Path(environment["MAINSPRING_CONFIG"]) if environment.get("MAINSPRING_CONFIG") else None)
    if chosen is None:
        chosen = Path(CONFIG_NAME)
        if not chosen.exists():
            return {}
    try:
        content = yaml.safe_load(chosen.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise SettingsError(f"{chosen} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{chosen} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{chosen} must hold a mapping of sections", remedy="See docs/configuration.md")
    _note_origins(content, "", str(chosen), origins)
    return references.resolved(content, environment)


def _note_origins(values: Mapping[str, Any], prefix: str, origin: str, origins: dict[str, str]) -> None:
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, dict):
            _note_origins(value, f"{dotted}.", origin, origins)
        origins[dotted] = origin


def _read_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    known = {name for name, _ in _known_keys(Settings, "")}
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OTHER_NAMES:
            continue
        dotted = name[len(PREFIX) :].lower().replace("__", ".")
        if dotted not in known and not dotted.startswith(_MAPPINGS):
            names = [PREFIX + key.upper().replace(".", "__") for key in known] + sorted(OTHER_NAMES)
            raise SettingsError(f"unknown environment variable {name}", remedy=_nearest(name, names))
        yield name, dotted, text


def _known_keys(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, info in section.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _known_keys(info.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", section


def _parse(text: str, name: str) -> Any:
    # Lists, mappings, numbers and booleans are written as in the YAML file.
    try:
        return yaml.safe_load(text) if text else ""
    except yaml.YAMLError as error:
        raise SettingsError(f"{name} is not a valid YAML value: {error}") from None


def _assign(values: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{section} must be a mapping of settings")
    values[key] = value


def _explain(error: ValidationError, origins: Mapping[str, str]) -> SettingsError:
    first = error.errors()[0]
    if first["type"] == "value_error":
        # Our own sentence about a whole section, whose values may be secrets.
        return SettingsError(str(first["ctx"]["error"]))
    dotted = ".".join(str(part) for part in first["loc"])
    origin = origins.get(dotted, origins.get(str(first["loc"][0]), "the configuration"))
    if first["type"] == "extra_forbidden":
        known = [name for name, _ in _known_keys(Settings, "")] + list(Settings.model_fields)
        return SettingsError(f"unknown key {dotted} in {origin}", remedy=_nearest(dotted, known))
    return SettingsError(f"{dotted} in {origin}: {first['msg']} (got {first['input']!r})")


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else "`mainspring doctor` lists every key"
