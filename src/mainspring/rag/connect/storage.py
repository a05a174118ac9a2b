"""Object storage through fsspec: S3, Google Cloud Storage, Azure and whatever else it has a file system for."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from mainspring.core.errors import InvalidRequest, MissingExtra, NotFound, UnreadableDocument, UpstreamError
from mainspring.rag.connect.base import Batch, Source, SyncState, split
from mainspring.rag.parse import kinds

# Fields in which file systems report an object's version and the time of its last change.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "checksum")
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
# An object may change again within one tick of the store's clock: so young a time would not show it.
_SETTLED_S = 2.0


class Storage:
    """The objects below ``url`` (``s3://bucket/prefix``). Credentials come from where the file system's own library
    looks for them. Raises ``InvalidRequest`` for a URL that is none."""

    kind = "storage"

    def __init__(self, url: str) -> None:
        scheme, found, path = url.partition("://")
        if not found or not scheme.isalnum() or "::" in url or "@" in path.partition("/")[0]:
            raise InvalidRequest(
                "the source is not the URL of a storage",
                remedy="Write scheme://bucket/prefix, without credentials",
                param="source",
            )
        self._scheme = scheme
        self._url = url.rstrip("/") if path else url

    @property
    def location(self) -> str:
        return self._url

    def owns(self, key: str) -> bool:
        return key == self._url or key.startswith(f"{self._url.rstrip('/')}/")

    def require(self) -> None:
        """Raises ``MissingExtra``, and ``InvalidRequest`` for a storage that nothing knows."""
        fsspec = _fsspec()
        try:
            fsspec.get_filesystem_class(self._scheme)
        except ImportError as error:
            raise self._lacks(error) from None
        except ValueError as error:
            raise InvalidRequest(f"{self._url} cannot be read: {error}", param="source") from None

    def _lacks(self, error: ImportError) -> MissingExtra:
        return MissingExtra(
            f"{self._scheme}:// needs a package: {error}", remedy="Install it beside mainspring[connectors]"
        )

    async def changes(self, seen: SyncState) -> AsyncIterator[Batch]:
        """One batch with the changed versions. Raises ``NotFound``, ``UpstreamError``, ``MissingExtra``."""
        files, root, found = await asyncio.to_thread(self._listed)
        listed = [self._of(files, root, path, info) for path, info in sorted(found.items())]
        kept = {source.key for source in listed if source.mark and seen.marks.get(source.key) == source.mark}
        changed = [source for source in listed if source.key not in kept]
        gone = split(seen.marks, {source.key for source in listed})
        yield Batch(changed, kept=sorted(kept), gone=gone)

    def _listed(self) -> tuple[Any, str, Mapping[str, Mapping[str, Any]]]:
        fsspec = _fsspec()
        try:
            # Listings are kept by default, and would hide what changed since the last sync.
            files, root = fsspec.url_to_fs(self._url, use_listings_cache=False)
            files.invalidate_cache()
            found = files.find(root, withdirs=False, detail=True)
        except ImportError as error:
            raise self._lacks(error) from None
        except FileNotFoundError:
            found = {}
        except ValueError as error:
            raise InvalidRequest(f"{self._url} cannot be read: {error}", param="source") from None
        except Exception as error:  # each file system has its client's own errors
            raise UpstreamError(f"{self._url} cannot be listed: {error}", remedy="Check the access rights") from error
        if not found and not files.exists(root):
            raise NotFound(f"there is nothing at {self._url}", remedy="Check bucket and prefix", param="source")
        return files, root, found

    def _of(self, files: Any, root: str, path: str, info: Mapping[str, Any]) -> Source:
        inside = path.removeprefix(root).strip("/")
        name = inside or PurePosixPath(path).name
        at = _time(info)
        version = next((str(info[each]) for each in _VERSIONS if info.get(each)), "")
        if not version and at is not None and time.time() - at > _SETTLED_S:
            version = f"{at!r}:{info.get('size')}"
        return Source(
            f"{self._url.rstrip('/')}/{inside}" if inside else self._url,
            name,
            partial(_read, files, path, int(info.get("size") or 0)),
            attributes={"url": f"{self._scheme}://{path.lstrip('/')}"},
            modified_at=at,
            mark=version,
        )


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError:
        raise MissingExtra("object storage needs the package fsspec", remedy="Install mainspring[connectors]") from None
    return fsspec


def _read(files: Any, path: str, size: int) -> bytes:
    if size > kinds.MAX_BYTES:
        raise UnreadableDocument(f"{path} has {size} bytes, more than {kinds.MAX_BYTES}", remedy="Split it")
    try:
        data = files.cat_file(path)
    except Exception as error:  # each file system has its client's own errors
        raise UnreadableDocument(f"{path} cannot be read: {error}", remedy="Check the access rights") from error
    return bytes(data)


def _time(info: Mapping[str, Any]) -> float | None:
    value = next((info[each] for each in _TIMES if info.get(each)), None)
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()
    return float(value) if isinstance(value, int | float) else None
