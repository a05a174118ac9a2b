"""What the files of a home really hold: every version of every Lance table decoded, and the bytes of all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any


async def lance_texts(directory: Path) -> list[str]:
    """The text and heading of every row of every version of every table below ``directory``."""
    return [text for name in _tables(directory) for text in await _of_all_versions(directory, name)]


async def leftovers(directory: Path) -> list[str]:
    """Files that may hold rows which the newest versions of their tables do not show: rows that are marked deleted,
    older versions, data and indexes that are not the newest version's."""
    import lancedb

    connection = await lancedb.connect_async(str(directory))
    found: list[str] = []
    for name in _tables(directory):
        home = directory / f"{name}.lance"
        table: Any = await connection.open_table(name)
        found += map(str, home.glob("_deletions/*"))
        found += [f"{name}: version {one['version']}" for one in (await table.list_versions())[:-1]]
        data = list(home.glob("data/*.lance"))
        fragments = (await table.stats())["fragment_stats"]["num_fragments"]
        if len(data) != fragments:
            found.append(f"{name}: {len(data)} data files of {fragments} fragments")
        indexes = {index.index_uuid for index in await table.list_indices()}
        found += [str(path) for path in home.glob("_indices/*") if path.name not in indexes]
    connection.close()  # type: ignore[no-untyped-call]
    return found


def holding(home: Path, marker: str) -> list[str]:
    """Files below ``home``, Lance's own aside, with the bytes of ``marker``, in whatever table, page or log."""
    wanted = marker.encode()
    files = (path for path in home.rglob("*") if path.is_file() and ".lance" not in str(path.relative_to(home)))
    return [str(path.relative_to(home)) for path in files if wanted in path.read_bytes()]


def _tables(directory: Path) -> list[str]:
    return sorted(path.stem for path in directory.glob("*.lance"))


async def _of_all_versions(directory: Path, name: str) -> list[str]:
    import lancedb

    connection = await lancedb.connect_async(str(directory))
    table: Any = await connection.open_table(name)
    texts: list[str] = []
    for version in await table.list_versions():
        try:
            await table.checkout(version["version"])
            rows = (await table.query().select(["text", "heading", "indexed"]).to_arrow()).to_pylist()
        except (RuntimeError, ValueError, OSError):
            # It was let go of between the list and the look.
            continue
        texts += [f"{row['heading']} {row['text']} {row['indexed']}" for row in rows]
    connection.close()  # type: ignore[no-untyped-call]
    return texts
