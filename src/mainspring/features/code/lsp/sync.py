"""Keeps a folder and its workspace on a server the same."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import MissingExtra
from mainspring.features.code.index import folder
from mainspring.features.code.lsp.remote import RemoteCode

MAX_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Synced:
    """What a synchronisation did: files of the folder, those that were sent and indexed, those left out, by reason, and
    the number of masked secrets."""

    files: int
    sent: int
    left_out: dict[str, str]
    masked: int


async def sync(remote: RemoteCode, workspace: str, root: Path, most_bytes: int = MAX_BYTES) -> Synced:
    """Send what is new or has changed, and forget what is gone. Raises ``Refused``, ``InvalidRequest``."""
    found = {each.path: each for each in await asyncio.to_thread(lambda: list(folder.files(root, most_bytes)))}
    # The server compares with what it was sent, which is the decoded text.
    hashes = {path: _sha(each.text) for path, each in found.items()}
    wanted = await remote.sync(workspace, hashes)
    verdicts = await remote.put(workspace, [(path, found[path].text) for path in wanted])
    left_out = {each["path"]: each["reason"] for each in verdicts if each["status"] == "left_out"}
    masked = sum(each.get("masked_secrets", 0) for each in verdicts)
    return Synced(len(found), len(wanted) - len(left_out), left_out, masked)


async def watch(remote: RemoteCode, workspace: str, root: Path) -> None:
    """Follow changes of the folder until it is cancelled. Raises ``MissingExtra`` without watchfiles."""
    try:
        from watchfiles import Change, awatch
    except ImportError:
        raise MissingExtra("folders cannot be watched", remedy="Run `pip install 'mainspring[connectors]'`") from None
    async for changes in awatch(root, step=200):
        rules = folder.IgnoreRules(root)
        changed: list[tuple[str, str]] = []
        for change, name in changes:
            path = Path(name).relative_to(root).as_posix()
            if not folder.wanted(path) or rules.ignored(path):
                continue
            file = None if change == Change.deleted else folder.read(root, path, MAX_BYTES)
            if file is None:
                await remote.forget(workspace, path)
            else:
                changed.append((path, file.text))
        if changed:
            await remote.put(workspace, changed)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
