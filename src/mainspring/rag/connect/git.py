"""Files of a git repository at a ref, through the git program. A file's mark is its blob's hash, the cursor a commit.

Only the newest commit is fetched, into a bare repository that is kept between syncs; changed files are those with
another blob.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest, MissingExtra, NotFound, UnreadableDocument, UpstreamError
from mainspring.rag.connect.base import Batch, Source, SyncState, split
from mainspring.rag.parse import kinds

PREFIX = "git+"
_SCHEMES = ("https", "http", "ssh", "git", "file")
_REF = "refs/heads/synced"
_TIMEOUT_S = 600.0
# No helper that runs programs named by a URL, no hooks, no questions to a terminal, no work left in the background.
_GIT = (
    "git",
    *("-c", "protocol.ext.allow=never"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.askPass=true"),
    *("-c", "core.sshCommand=ssh -oBatchMode=yes"),
    *("-c", "gc.autoDetach=false"),
)
_FILE_MODES = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    blob: str
    size: int


class Git:
    """The files of ``url`` at ``ref`` (a branch, a tag, a commit) that match ``include`` and do not ``exclude``.

    Patterns are shell patterns over the whole path, in which ``*`` passes slashes (``docs/*``, ``*.md``). Hidden
    files, links and submodules are left out. ``home`` is a directory for the fetched repository. Raises
    ``InvalidRequest`` for a URL of another kind or one with a password in it.
    """

    kind = "git"

    def __init__(
        self,
        url: str,
        home: Path,
        *,
        ref: str = "HEAD",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise InvalidRequest(
                f"{url} is not the URL of a git repository", remedy=f"Use one of {', '.join(_SCHEMES)}", param="source"
            )
        # Hosts take an access token as the user name alone.
        if parts.password or (parts.username and parts.scheme in ("https", "http")):
            raise InvalidRequest(
                "the URL of the repository has a password or token in it, which would be stored",
                remedy="Leave it out and let git's credential helper give it",
                param="source",
            )
        if ref.startswith("-") or any(each.isspace() for each in ref):
            raise InvalidRequest(f"{ref!r} is not a ref", remedy="Give a branch, a tag or a commit", param="source")
        self.url = url
        self.ref = ref
        self._include = tuple(include)
        self._exclude = tuple(exclude)
        self._repository = home / rows.digest(f"{url}\n{ref}")[:32]

    def require(self) -> None:
        """Raises ``MissingExtra`` without the program."""
        if shutil.which(_GIT[0]) is None:
            raise _no_git()

    @property
    def location(self) -> str:
        return f"{PREFIX}{self.url}@{self.ref}"

    def owns(self, key: str) -> bool:
        return key.startswith(f"{self.location}#")

    async def changes(self, seen: SyncState) -> AsyncIterator[Batch]:
        """One batch with the changed blobs; no batch if the commit is still the same."""
        commit = await self._fetch()
        if commit == seen.cursor:
            return
        at = float(await self._git("show", "--no-patch", "--format=%ct", commit))
        files = {f"{self.location}#{file.path}": file for file in await self._files(commit)}
        kept = [key for key, file in files.items() if seen.marks.get(key) == file.blob]
        changed = [self._source(key, file, at) for key, file in files.items() if seen.marks.get(key) != file.blob]
        yield Batch(changed, kept=kept, gone=split(seen.marks, set(files)), cursor=commit)

    def _source(self, key: str, file: _File, at: float) -> Source:
        return Source(
            key,
            file.path,
            partial(_read, self._repository, file),
            attributes={"repository": self.url, "ref": self.ref, "path": file.path},
            modified_at=at,
            mark=file.blob,
        )

    async def _fetch(self) -> str:
        await asyncio.to_thread(self._prepare)
        fetch = ("fetch", "--depth=1", "--no-tags", "--quiet", "--", self.url, f"+{self.ref}:{_REF}")
        try:
            await self._git(*fetch)
        except UpstreamError as error:
            # A killed git leaves its lock files behind.
            if ".lock" not in error.message:
                raise
            await asyncio.to_thread(shutil.rmtree, self._repository)
            await asyncio.to_thread(self._prepare)
            await self._git(*fetch)
        return (await self._git("rev-parse", f"{_REF}^{{commit}}")).strip()

    def _prepare(self) -> None:
        if (self._repository / "HEAD").is_file():
            return
        self._repository.mkdir(parents=True, exist_ok=True)
        _run(self._repository, ["init", "--bare", "--quiet"])

    async def _files(self, commit: str) -> list[_File]:
        listed = await self._git("ls-tree", "-r", "-z", "--long", "--full-tree", commit)
        found: list[_File] = []
        for line in filter(None, listed.split("\0")):
            facts, path = line.split("\t", 1)
            mode, _, blob, size = facts.split()
            if mode in _FILE_MODES and self._wanted(path):
                found.append(_File(path, blob, int(size)))
        return found

    def _wanted(self, path: str) -> bool:
        if any(part.startswith(".") for part in PurePosixPath(path).parts):
            return False
        if self._include and not any(fnmatchcase(path, pattern) for pattern in self._include):
            return False
        return not any(fnmatchcase(path, pattern) for pattern in self._exclude)

    async def _git(self, *arguments: str) -> str:
        return (await asyncio.to_thread(_run, self._repository, arguments)).decode("utf-8", "surrogateescape")


def _run(repository: Path, arguments: Sequence[str]) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - the program is fixed, and arguments are no options
            [*_GIT, "-C", str(repository), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError:
        raise _no_git() from None
    except subprocess.TimeoutExpired:
        raise UpstreamError(f"git {arguments[0]} took longer than {_TIMEOUT_S:g} s", remedy="Try again") from None
    if done.returncode == 0:
        return done.stdout
    said = " ".join(done.stderr.decode("utf-8", "replace").split())[:500]
    if "couldn't find remote ref" in said:
        raise NotFound(f"the repository has no such ref: {said}", remedy="Give a branch, a tag or a commit")
    raise UpstreamError(f"git {arguments[0]} failed: {said}", remedy="Check the URL and the access rights")


def _read(repository: Path, file: _File) -> bytes:
    if file.size > kinds.MAX_BYTES:
        raise UnreadableDocument(
            f"{file.path} has {file.size} bytes, more than {kinds.MAX_BYTES}", remedy="Exclude it, or split it"
        )
    return _run(repository, ["cat-file", "blob", file.blob])


def _no_git() -> MissingExtra:
    return MissingExtra("git repositories need the git program", remedy="Install git")
