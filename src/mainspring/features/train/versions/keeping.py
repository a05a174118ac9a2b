"""Moves what a run made to its place among the versions."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from mainspring.core import private_files
from mainspring.core.errors import ModelError
from mainspring.features.train.versions import card
from mainspring.stores.sql import rows
from mainspring.training.folder import Folder, write_json
from mainspring.training.recipe import Made

CARD, TELLS, PARITY, SCORES = "README.md", "version.json", "parity.jsonl", "scores.json"


class Places:
    """Where jobs and versions lie below the home: those of each tenant in a folder of their own."""

    def __init__(self, home: Path) -> None:
        self.root = home / "training"

    def job(self, job_id: str) -> Path:
        return self.root / "jobs" / job_id

    def version(self, tenant: str, name: str, number: int) -> Path:
        return self.root / "versions" / _digest(tenant) / name / str(number)

    def tenant(self, tenant: str) -> Path:
        """The folder of all versions of a tenant."""
        return self.root / "versions" / _digest(tenant)

    def draft(self, job_id: str) -> Path:
        """A folder for what comes before a job is recorded."""
        return self.root / "drafts" / job_id


def check_output(folder: Folder, made: Made) -> None:
    """Raises ``ModelError`` if a file that the recipe says it made is not there, or lies elsewhere."""
    root = folder.output.resolve()
    for name in made.files:
        path = (folder.output / name).resolve()
        if not path.is_relative_to(root) or not path.exists():
            raise ModelError(f"the recipe says that it made {name!r}, which is not in its output folder")
    for path in folder.output.rglob("*"):
        if path.is_symlink():
            raise ModelError(f"the output has a link, {path.name!r}", remedy="A recipe writes files")


def keep(folder: Folder, target: Path, told: object, page: str) -> None:
    """Put the output at ``target``, with what is ``told`` and the ``page`` that is its card. Can be done again."""
    private_files.folder(target.parent)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    for old in target.parent.glob(f".{target.name}.*"):
        shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        return
    shutil.copytree(folder.output, draft, copy_function=_link)
    write_json(draft / TELLS, told)
    # The recipe may have written one: it is another name of a file of the run.
    (draft / CARD).unlink(missing_ok=True)
    (draft / CARD).write_text(page, encoding="utf-8")
    for each in (*(path for path in draft.rglob("*") if path.is_file()), draft):
        _sync(each)
    draft.rename(target)
    _sync(target.parent)


def shed(folder: Folder) -> None:
    """Delete what nothing needs after a version was made: its rows and checkpoints. The manifest stays."""
    for path in folder.data.glob("*.jsonl"):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder.checkpoints, ignore_errors=True)
    shutil.rmtree(folder.output, ignore_errors=True)


def forget(folder: Folder) -> None:
    """Delete what a run wrote of its rows or learnt from them. Its data stays; a run that ended begins no more."""
    for path in (folder.checkpoints, folder.output):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("samples.jsonl", "result.json", "error.json", "log.txt"):
        (folder.path / name).unlink(missing_ok=True)


def redact(version: Path, reason: str) -> None:
    """Delete what the files of a version repeat of its rows: the inputs on which a conversion is compared, and the
    samples of its card. Which row each is of is not known, so that all go."""
    for name in (PARITY, SCORES):
        (version / name).unlink(missing_ok=True)
    told = version / CARD
    if told.exists():
        draft = version / f".{CARD}.{os.getpid()}"
        draft.write_text(card.redacted(told.read_text(encoding="utf-8"), reason), encoding="utf-8")
        _sync(draft)
        draft.replace(told)
        _sync(version)


def without(made: str, answers: frozenset[str]) -> str:
    """A ``Made`` as JSON without the examples that repeat these answers, or that do not say which they repeat, and
    without a text that was written over any of them."""
    told = rows.load(made)
    value = told.get("value") or {}
    if value.get("text"):
        # What it took from whom nobody knows.
        return rows.dump({**told, "value": {}, "notes": []})
    if not isinstance(value.get("examples"), list):
        return made
    kept = [each for each in value["examples"] if each.get("source") and each["source"] not in answers]
    nearest = {"nearest": min(value["nearest"], len(kept))} if value.get("nearest") else {}
    return rows.dump({**told, "value": {**value, "examples": kept, **nearest}})


def old(parent: Path, seconds: float) -> list[Path]:
    """What lies in a folder and was not made, renamed or changed for so long."""
    found = []
    for path in parent.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            if time.time() - max(state.st_mtime, state.st_ctime) > seconds:
                found.append(path)
    return found


def files(folder: Path) -> Sequence[tuple[str, int]]:
    """The files of a version with their sizes in bytes."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in found]


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Some file systems have no hard links.
        shutil.copyfile(source, target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(tenant: str) -> str:
    return hashlib.sha256(tenant.encode()).hexdigest()[:16]
