"""Where the steps run: in this process, in child processes of this machine, or on Ray.

All of them run ``steps.pipeline.cleaned`` over the same batches and give the same rows, in any order.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from mainspring.core.errors import MissingExtra, StoreError
from mainspring.features.lake.build.ending import ends_with_parent
from mainspring.features.lake.files.manifest import LakeFile
from mainspring.features.lake.files.reading import newest
from mainspring.features.lake.files.storage import Storage, opened
from mainspring.features.lake.steps import named
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.features.lake.steps.pipeline import cleaned

Runner = Literal["local", "ray"]
_BATCH = 2048
_YIELDS = 10


async def run(
    runner: Runner, storage: Storage, home: Path, files: Sequence[LakeFile], options: BuildSettings
) -> AsyncIterator[pa.RecordBatch]:
    """The batches after the steps, whose ``options`` are ``toxicity.ready``. Raises ``StoreError`` when a process of it
    dies, ``MissingExtra`` without Ray or without spaCy, ``SettingsError`` without its pipeline."""
    named.check(options.ner)
    if runner == "ray":
        found = _on_ray(storage.root, home, files, options)
    elif options.workers:
        found = _in_children(storage, files, options)
    else:
        found = (cleaned(batch, options) for batch in _batches(storage, files))
    try:
        while (batch := await asyncio.to_thread(next, found, None)) is not None:
            yield batch
    finally:
        await asyncio.to_thread(found.close)


def _batches(storage: Storage, files: Sequence[LakeFile]) -> Iterator[pa.RecordBatch]:
    for _, day in groupby(files, lambda each: each.date):
        yield from newest(storage, list(day), batch=_BATCH)


def _in_children(storage: Storage, files: Sequence[LakeFile], options: BuildSettings) -> Any:
    waiting: list[Future[pa.RecordBatch]] = []
    with ProcessPoolExecutor(options.workers, get_context("spawn"), _yield) as pool:
        try:
            for batch in _batches(storage, files):
                waiting.append(pool.submit(cleaned, batch, options))
                if len(waiting) > options.workers + 1:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        except BrokenProcessPool:
            raise StoreError("a process of the build has died", remedy="Build again") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _yield() -> None:
    ends_with_parent()
    # Training data is less urgent than answers.
    os.nice(_YIELDS)


def _on_ray(root: str, home: Path, files: Sequence[LakeFile], options: BuildSettings) -> Any:
    try:
        import ray
    except ImportError:
        raise MissingExtra("lake.runner: ray needs the package ray", remedy="Install mainspring[ray]") from None
    days = [{"day": [list(day)]} for _, day in groupby(files, lambda each: each.date)]
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    plain, model = options.model_dump(), options.detector_model

    def work(item: dict[str, Any]) -> Iterator[pa.Table]:
        settings = BuildSettings.model_validate(plain)
        if model is not None:
            settings = settings.with_detector_model(model)
        storage = opened(root, home)
        for day in item["day"]:
            for batch in newest(storage, list(day[0]), batch=_BATCH):
                yield pa.Table.from_batches([cleaned(batch, settings)])

    found = ray.data.from_items(days).map_batches(work, batch_size=1, batch_format="numpy")
    for table in found.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield from table.combine_chunks().to_batches()
