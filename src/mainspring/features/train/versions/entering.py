"""Versions as entries of the model catalogue: in a file of the home that it reads beside the configured ones."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mainspring.core import private_files, yaml_files
from mainspring.core.errors import MainspringError, ModelError, Unsupported
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.entries import Catalogue, ModelEntry, trained_catalogue
from mainspring.engines.catalogue.pull import Puller
from mainspring.features.train.settings import TrainSettings
from mainspring.features.train.versions.store import Row
from mainspring.stores.sql import rows

_FROM_BASE = (
    "context_window", "chat_template", "stop", "grounded", "fim", "sampling", "default_output_tokens", "kv_tokens",
    "price_input", "price_output", "convert",
)  # fmt: skip
SERVED = ("chat", "adapter", "embedding", "reranker", "reader", "nli", "classifier")


def name_of(row: Row) -> str:
    """Its name in the catalogue, which is one for all tenants, in a folder of models that homes may share."""
    which = hashlib.sha256(f"{row.tenant}\0{row.job}".encode()).hexdigest()[:8]
    return f"{row.name}.v{row.number}.{which}"


def entry_of(row: Row, base: str, folder: Path, settings: Settings) -> dict[str, Any]:
    """The fields of its entry, without the name; ``base`` is that of its base in the catalogue. Raises ``Unsupported``
    for what nothing serves, ``ModelError`` if its files do not make an entry, ``ModelNotPulled`` without its base."""
    made = rows.load(row.made)
    given: Mapping[str, Any] = made["entry"]
    if row.makes not in SERVED or not given:
        raise Unsupported(
            f"{row.name}@{row.number} makes {row.makes}, which answers under no name of its own",
            remedy="An application uses it, see `mainspring variants`",
            param="version",
        )
    fields = {**given, "description": f"Trained here: {row.name}@{row.number}"}
    if row.makes in ("chat", "adapter") and not given.get("files"):
        fields |= _over_base(row, base, given, folder, settings)
    else:
        fields["files"] = [_file(each, folder) for each in given.get("files", ())]
        fields.setdefault("license", _licence(base, settings) or "proprietary")
        fields.setdefault("convert", ["openvino"] if fields.get("format") == "gguf" else ["encoder"])
    name = name_of(row)
    try:
        ModelEntry.model_validate({"name": name, **fields})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{row.name}@{row.number} makes no entry of the catalogue: {where}: {first['msg']}") from None
    return fields


def _over_base(row: Row, base: str, given: Mapping[str, Any], folder: Path, settings: Settings) -> dict[str, Any]:
    """An adapter or whole weights, in the form of transformers, over the pulled file of the base."""
    catalogue = Catalogue.load(settings)
    pulled = Puller(settings, catalogue).local(base)
    below = catalogue.get(base).model_dump(mode="json")
    fields = {name: below[name] for name in _FROM_BASE if name not in given}
    # It is the file of the base that is on this machine, which may be another form of what the catalogue names.
    fields["files"] = [{"name": "base.gguf", "sources": [f"file:{pulled.files['gguf']}"]}]
    fields |= {"kind": "chat", "format": "gguf", "license": given.get("license", below["license"])}
    train = settings.section(TrainSettings)
    if train.precision == "int4" and "openvino" in fields["convert"]:
        fields["convert"] = ["f16", "openvino", "int4"]
        fields["perplexity_tolerance"] = max(train.difference, below["perplexity_tolerance"])
    if row.makes == "adapter":
        adapter = given.get("adapter", {})
        weights = adapter.get("weights", {"name": "adapter_model.safetensors"})
        fields["adapter"] = {"alpha": adapter.get("alpha"), "weights": _file(weights, folder)}
    else:
        fields["weights"] = _file({"name": "model.safetensors"}, folder)
    return fields


def _file(given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    path = (folder / str(given.get("name", ""))).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ModelError(f"the version has no file {given.get('name')!r}")
    return {"name": path.name, "sources": [f"file:{path}"], "size_bytes": path.stat().st_size}


def _licence(base: str, settings: Settings) -> str:
    with contextlib.suppress(MainspringError):
        return Catalogue.load(settings).get(base).license if base else ""
    return ""


def enter(home: Path, name: str, fields: Mapping[str, Any] | None) -> None:
    """Put an entry into the file, or take it out."""
    path = trained_catalogue(home)
    private_files.folder(path.parent)
    with _alone(path):
        models = dict(read(home))
        if fields is None:
            models.pop(name, None)
        else:
            models[name] = dict(fields)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with draft.open("w", encoding="utf-8") as file:
            yaml.safe_dump({"models": models}, file, allow_unicode=True, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


def read(home: Path) -> Mapping[str, Any]:
    """The entries of the file, by name."""
    path = trained_catalogue(home)
    if not path.exists():
        return {}
    told = yaml_files.load(path.read_text(encoding="utf-8")) or {}
    models = told.get("models") if isinstance(told, dict) else None
    return models if isinstance(models, dict) else {}


def changed(home: Path) -> int:
    """When the file was written last, in nanoseconds; 0: there is none."""
    try:
        return trained_catalogue(home).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
