"""Queries over the files of one tenant that the asker's groups may see."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mainspring.core.errors import InvalidRequest, MissingExtra, RateLimited, StoreError, TooSlow
from mainspring.core.facts.registry import KINDS
from mainspring.features.lake.build.building import DROPPED
from mainspring.features.lake.build.store import Builds
from mainspring.features.lake.files.columns import raw_schema
from mainspring.features.lake.files.interaction_rows import interaction_schema
from mainspring.features.lake.files.manifest import LakeFile, Manifest
from mainspring.features.lake.files.storage import Storage
from mainspring.features.lake.settings import SqlBounds
from mainspring.features.lake.steps.pipeline import ready_schema

_CHILD = "mainspring.features.lake.sql.child"


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a query; ``truncated``: there are more rows than the bounds allow."""

    columns: Sequence[Mapping[str, str]]
    rows: Sequence[Sequence[Any]]
    truncated: bool


class Sql:
    """Runs queries, a few of one tenant at a time."""

    def __init__(self, manifest: Manifest, builds: Builds, storage: Storage, bounds: SqlBounds) -> None:
        self._manifest = manifest
        self._builds = builds
        self._storage = storage
        self._bounds = bounds
        self._running: Counter[str] = Counter()

    async def query(self, tenant: str, query: str, groups: frozenset[str] | None = None) -> Rows:
        """The rows of one SELECT over the views ``interactions``, ``ready``, ``dropped`` and one for each kind of
        events; ``groups`` None: all.

        Raises ``InvalidRequest`` for a query that fails, ``TooSlow`` and ``RateLimited``, ``MissingExtra``.
        """
        if self._running[tenant] >= self._bounds.at_once:
            raise RateLimited(
                f"{self._bounds.at_once} queries of this tenant are running already", remedy="Wait until one has ended"
            )
        self._running[tenant] += 1
        try:
            asked = {"query": query, "root": self._storage.root, "views": await self._views(tenant, groups)}
            bounds = {"memory_mb": self._bounds.memory_mb, "rows": self._bounds.rows, "bytes": self._bounds.bytes}
            answer = await self._run(asked | bounds)
        finally:
            self._running[tenant] -= 1
            self._running += Counter()
        if "missing" in answer:
            raise MissingExtra("queries of the lake need the package duckdb", remedy="Install mainspring[lake]")
        if "error" in answer:
            raise InvalidRequest(
                f"the query fails: {answer['error']}",
                remedy="Write one SELECT over interactions, ready, dropped or a kind of events",
                param="query",
            )
        return Rows(answer["columns"], answer["rows"], answer["truncated"])

    async def _views(self, tenant: str, groups: frozenset[str] | None) -> dict[str, Any]:
        _, before = self._storage.filesystem()
        views: dict[str, Any] = {}
        raw = await self._manifest.files(tenant, "raw", groups=groups)
        for kind in sorted(set(KINDS) | {each.kind for each in raw}):
            views[_view(kind)] = _given([each for each in raw if each.kind == kind], before, raw_schema(kind))
        clean = await self._manifest.files(tenant, "clean", groups=groups)
        views["interactions"] = _given(clean, before, interaction_schema()) | {"newest": True}
        newest = next(iter(await self._builds.finished(tenant)), None)
        for zone, schema in (("ready", ready_schema()), ("dropped", DROPPED)):
            files = [] if newest is None else await self._manifest.files(tenant, zone, newest.id, groups=groups)
            views[zone] = _given(files, before, schema)
        return views

    async def _run(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _CHILD),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(self._bounds.seconds):
                out, _ = await process.communicate(json.dumps(asked).encode())
        except TimeoutError:
            raise TooSlow(
                f"the query ran for {self._bounds.seconds:g} s, the maximum of lake.sql.seconds",
                remedy="Ask for fewer rows or columns",
            ) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            if process.returncode < 0 or not out:
                return {"error": f"it needs more than {self._bounds.memory_mb} MB of memory"}
            raise StoreError(f"the process of the query ended with {process.returncode}")
        found: dict[str, Any] = json.loads(out)
        return found


def _view(kind: str) -> str:
    return "".join(each if each.isalnum() else "_" for each in kind)


def _given(files: Sequence[LakeFile], before: str, schema: pa.Schema) -> dict[str, Any]:
    encoded = base64.b64encode(schema.serialize().to_pybytes()).decode()
    return {"files": [before + each.path for each in files], "schema": encoded}
