"""Folders with the rows of a rung that come from a data set. They repeat what people said: they go when the rung has
trained on them, and an erasure takes its rows out."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.core import private_files
from mainspring.evaluation.examples import Example

SIDES = ("train", "validation", "test")
LINEAGE = ".lineage.jsonl"
_AT_ONCE = 250


class Folders:
    """Below the home: those of each tenant in a folder of their own."""

    def __init__(self, home: Path) -> None:
        self.root = home / "improve"

    def tenant(self, tenant: str) -> Path:
        return self.root / hashlib.sha256(tenant.encode()).hexdigest()[:16]

    def campaign(self, tenant: str, campaign: str) -> Path:
        return self.tenant(tenant) / campaign

    async def write(self, folder: Path, examples: AsyncIterator[Example], *, pairs: bool = False) -> dict[str, int]:
        """Write the examples that have a reference as JSON lines by side, each with the answers that it is made of in
        ``SIDE.lineage.jsonl``; the rows of each side. ``pairs``: those that the examples have."""
        await asyncio.to_thread(_emptied, folder)
        counts: dict[str, int] = dict.fromkeys(SIDES, 0)
        some: list[Example] = []
        async for each in examples:
            if each.references:
                counts[each.split] += 1
                some.append(each)
            if len(some) == _AT_ONCE:
                await asyncio.to_thread(_append, folder, some, pairs)
                some = []
        await asyncio.to_thread(_append, folder, some, pairs)
        return counts

    async def sources(self, folder: Path, most: int) -> list[str]:
        """The answers that the rows are made of, at most ``most``."""
        return await asyncio.to_thread(lambda: sorted(_sources(folder))[:most])

    async def questions(self, folder: Path) -> frozenset[str]:
        """What the rows ask that are trained on, as ``question_digest`` tells it."""
        return await asyncio.to_thread(_questions, folder)

    async def digest(self, folder: Path) -> str:
        """Of all rows: the same for the same ones in the same order."""
        return await asyncio.to_thread(_digest, folder)

    async def remove(self, tenant: str, campaign: str) -> None:
        """Delete the folders of a campaign, if there are any. Can be done again."""
        await asyncio.to_thread(shutil.rmtree, self.campaign(tenant, campaign), True)

    def of_answers(self, tenant: str, answers: Collection[str]) -> dict[str, int]:
        """The number of rows that are made of any of these answers, by campaign."""
        found: dict[str, int] = {}
        wanted = frozenset(answers)
        for folder in self._of(tenant):
            if count := sum(not wanted.isdisjoint(each) for each in _lines(folder)):
                found[folder.parent.name] = found.get(folder.parent.name, 0) + count
        return found

    def without(self, tenant: str, answers: Collection[str]) -> int:
        """Take the rows out that are made of any of these answers; their number. Can be done again."""
        return sum(_without(folder, side, answers) for folder in self._of(tenant) for side in SIDES)

    def _of(self, tenant: str) -> list[Path]:
        return [path for path in sorted(self.tenant(tenant).glob("*/*")) if path.is_dir()]


def question_digest(messages: Iterable[tuple[str, str]]) -> str:
    """A digest of a conversation up to its answer, of roles with what they say, without case and white space."""
    told = [[role, " ".join(content.casefold().split())] for role, content in messages]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _questions(folder: Path) -> frozenset[str]:
    found: set[str] = set()
    # What a recipe measures on the side ``test`` chooses nothing.
    for side in ("train", "validation"):
        path = folder / f"{side}.jsonl"
        if path.exists():
            with path.open("rb") as file:
                found.update(question_digest(_asked(json.loads(line))) for line in file)
    return frozenset(found)


def _digest(folder: Path) -> str:
    told = hashlib.sha256()
    for side in SIDES:
        with (folder / f"{side}.jsonl").open("rb") as file:
            told.update(hashlib.file_digest(file, "sha256").digest())
    return told.hexdigest()


def _asked(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "messages" not in row:
        # A pair, or a text.
        return [("user", str(row.get("source", row.get("text", ""))))]
    return [(str(each["role"]), str(each["content"])) for each in row["messages"][:-1]]


def _emptied(folder: Path) -> None:
    private_files.folder(folder)
    for side in SIDES:
        for name in (f"{side}.jsonl", f"{side}{LINEAGE}"):
            private_files.file(folder / name)
            os.truncate(folder / name, 0)


def _append(folder: Path, examples: Sequence[Example], pairs: bool) -> None:
    for side in SIDES:
        mine = [each for each in examples if each.split == side]
        with (folder / f"{side}.jsonl").open("ab") as rows, (folder / f"{side}{LINEAGE}").open("ab") as beside:
            rows.writelines(_line(each.extra["pair"] if pairs else _row(each)) for each in mine)
            beside.writelines(_line({"id": each.id, "answers": list(each.sources)}) for each in mine)


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _row(example: Example) -> dict[str, Any]:
    """As a row of ``sft``, with what else is known."""
    said = [{"role": each.role, "content": each.content} for each in example.messages]
    return {
        "messages": [*said, {"role": "assistant", "content": example.references[0]}],
        "references": list(example.references),
        "passages": list(example.passages),
    }


def _lines(folder: Path) -> Iterator[frozenset[str]]:
    """The answers of each row."""
    for side in SIDES:
        path = folder / f"{side}{LINEAGE}"
        if path.exists():
            with path.open("rb") as file:
                yield from (frozenset(json.loads(line)["answers"]) for line in file)


def _sources(folder: Path) -> set[str]:
    return {answer for each in _lines(folder) for answer in each}


def _without(folder: Path, side: str, answers: Collection[str]) -> int:
    rows, beside = folder / f"{side}.jsonl", folder / f"{side}{LINEAGE}"
    if not rows.exists() or not beside.exists():
        return 0
    with rows.open("rb") as one, beside.open("rb") as other:
        # One that is being written has a row more on one side.
        pairs = list(zip(one, other, strict=False))
    wanted = frozenset(answers)
    kept = [pair for pair in pairs if wanted.isdisjoint(json.loads(pair[1])["answers"])]
    if len(kept) < len(pairs):
        for path, column in ((rows, 0), (beside, 1)):
            _replace(path, b"".join(pair[column] for pair in kept))
    return len(pairs) - len(kept)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    private_files.file(draft)
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
