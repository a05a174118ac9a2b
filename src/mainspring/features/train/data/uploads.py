"""Uploaded files as the folder of a set."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from mainspring.core import private_files
from mainspring.core.errors import InvalidRequest, TooLarge
from mainspring.core.types import Principal
from mainspring.features.train.jobs.fields import about
from mainspring.features.train.settings import TrainSettings
from mainspring.stores.documents.files import Files

PURPOSE = "fine-tune"


@asynccontextmanager
async def folder_of(
    files: Files, principal: Principal, named: Mapping[str, str], room: Path, bounds: TrainSettings
) -> AsyncIterator[Path]:
    """A folder below ``room`` with ``SIDE.jsonl`` of each side that ``named`` gives a file, while the block lasts.
    Raises ``NotFound``, ``InvalidRequest`` for a file of another purpose, ``TooLarge``, each about its side."""
    await asyncio.to_thread(private_files.folder, room)
    made = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="upload-", dir=room))
    left = bounds.bytes
    try:
        for side, file_id in named.items():
            with about(side):
                info = await files.get(principal.tenant, file_id, groups=principal.groups)
            if info.purpose != PURPOSE:
                raise InvalidRequest(
                    f"{file_id} was uploaded for {info.purpose}", remedy=f"Upload it for {PURPOSE}", param=side
                )
            left -= info.bytes
            if left < 0:
                raise TooLarge(f"with {file_id} the data has more than {bounds.bytes} bytes (train.bytes)", param=side)
            await files.copy(principal.tenant, file_id, made / f"{side}.jsonl", groups=principal.groups)
        yield made
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, made, True))
