"""What a parser's child says is data of known shape and size, whatever became of the child."""

from __future__ import annotations

import ast
import asyncio
import io
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import mainspring
from mainspring.core.errors import MainspringError, MissingExtra, ModelError, UnreadableDocument
from mainspring.core.settings import RagSettings
from mainspring.rag import workers
from mainspring.rag.parse import child, frames, kinds
from mainspring.rag.parse.parsed import Dropped, Figure, Heading, Page, Parsed, Table
from mainspring.rag.parse.parser import Parser
from mainspring.rag.parse.reading_options import Options

DOCUMENT = Parsed(
    "Leave\né ½ 中 text",
    (Page(1, 0, 5), Page(2, 6, 12)),
    (Heading(1, "Leave", 0, 5),),
    "pdf",
    "rules",
    ("2 pages without text",),
    "rules: one column",
    (Table(0, 3, (("a", "b"), ("1", "2")), caption="c", page=2),),
    (Figure(1, 1, 1, (0.0, 1.5, 2.0, 3.0), "x", "y", b"\x89PNG one"), Figure(2, 2), Figure(3, 3, image=b"two")),
    (Dropped("header", "Acme", 1),),
)


def heard(frame: list[bytes], size: int = 0) -> frames.Answer:
    whole = b"".join(frame)
    (length,) = frames.LENGTH.unpack(whole[: frames.LENGTH.size])
    assert length <= frames.most(size)
    rest = whole[frames.LENGTH.size :]
    told = frames.told(rest[:length])
    assert len(rest) == length + told.text + sum(told.images)
    return frames.document(told, rest[length:])


def test_a_document_arrives_as_it_was() -> None:
    assert heard(frames.answer(DOCUMENT, 0)) == DOCUMENT


def test_the_text_is_behind_the_head_where_nobody_has_to_parse_it() -> None:
    framed, text, *_ = frames.answer(Parsed("na\u00efve " * 100_000), 0)
    assert len(framed) < 1000
    assert text.decode() == "na\u00efve " * 100_000


def test_a_document_of_headings_alone_keeps_the_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_MAX_HEADINGS", 3)
    headings = tuple(Heading(1, "a", at, at + 1) for at in range(0, 10, 2))
    found = heard(frames.answer(Parsed("a\na\na\na\na\n", headings=headings), 0))
    assert isinstance(found, Parsed)
    assert found.headings == headings[:3]
    assert found.text.count("a") == 5
    assert found.warnings == ("it has 5 headings: those after the first 3 are read as text",)


def test_halves_of_surrogate_pairs_are_replaced_where_they_stood() -> None:
    found = heard(frames.answer(Parsed("a\ud800b", headings=(Heading(1, "\udfff", 0, 3),)), 0))
    assert isinstance(found, Parsed)
    assert found.text == "a?b"
    assert found.headings[0].title == "?"


@pytest.mark.parametrize("kind", [UnreadableDocument, MissingExtra, ModelError])
def test_an_error_arrives_as_it_was(kind: type[MainspringError]) -> None:
    found = heard(frames.answer(kind("it is broken", remedy="mend it"), 0))
    assert type(found) is kind
    assert (found.message, found.remedy) == ("it is broken", "mend it")


def test_a_request_arrives_as_it_was() -> None:
    asked = frames.ReadRequest("a.pdf", 7, Options(images=True), 3.5)
    assert frames.read_request(frames.request(asked)[frames.LENGTH.size :]) == asked


@pytest.mark.parametrize(
    "found",
    [
        Parsed("x" * 2000),
        Parsed("x", figures=(Figure(0, 0, image=b"i" * 1500), Figure(0, 0, image=b"i" * 1500))),
        Parsed("x", tables=(Table(0, 1, (("a",) * 300,)),)),
    ],
)
def test_what_is_too_large_is_reported_as_an_error(found: Parsed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_LEAST", 1500)
    monkeypatch.setattr(frames, "_MAX_IMAGES", 2000)
    monkeypatch.setattr(frames, "_MAX_VALUES", 200)
    error = heard(frames.answer(found, 0))
    assert isinstance(error, UnreadableDocument)
    assert "more text" in error.message


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b'{"parsed":{"text":3}}',
        b'{"parsed":{"text":"x"},"images":[5]}',
        b'{"parsed":{"text":"x","figures":[{"start":0,"end":0}]},"images":[-5]}',
        b'{"parsed":{"text":"x","figures":[{"start":0,"end":0}]},"images":[99999999999]}',
        b'{"parsed":{"text":"x","pages":[[1,2,3]]},"images":[]}',
        pickle.dumps(DOCUMENT),
    ],
)
def test_what_is_no_answer_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own says what is wrong
        frames.document(frames.told(head), b"")


def test_an_answer_of_too_much_structure_is_refused_unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_adapter", None)
    with pytest.raises(ValueError, match="too many"):
        frames.told(b'{"parsed":[' + b"1," * 5_000_000 + b"1]}")


class Trap:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.path, "sprung"))


def fake(parser: Parser, sends: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each worker of ``parser`` sends what ``sends`` gives, whatever it was asked."""
    (tmp_path / "frame").write_bytes(sends())
    script = (
        "import sys; sys.stdin.buffer.read(20); "
        f"sys.stdout.buffer.write(open({str(tmp_path / 'frame')!r}, 'rb').read()); sys.stdout.buffer.flush(); "
        "sys.stdin.buffer.read()"
    )
    start = asyncio.create_subprocess_exec

    async def instead(*_: Any, **pipes: Any) -> asyncio.subprocess.Process:
        return await start(sys.executable, "-c", script, **pipes)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", instead)


def framed(head: bytes) -> bytes:
    return frames.LENGTH.pack(len(head)) + head


@pytest.mark.parametrize("answer", ["pickle", "endless", "nonsense", "pictures"])
async def test_a_child_that_was_taken_over_says_nothing(
    answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sprung = tmp_path / "sprung"
    sends = {
        "pickle": framed(pickle.dumps(Trap(sprung))),
        "endless": frames.LENGTH.pack(2**62),
        "nonsense": framed(b"{}"),
        "pictures": framed(orjson.dumps({"parsed": {"text": "x"}, "images": [2**40]})),
    }
    # Two of them never end by themselves; each is tried twice.
    monkeypatch.setattr(workers, "_ENDING_S", 0.1)
    parser = Parser(RagSettings(parse_timeout_s=20))
    fake(parser, lambda: sends[answer], monkeypatch, tmp_path)
    try:
        with pytest.raises(UnreadableDocument, match="crashed its parser"):
            await parser.parse(b"words", "a.txt")
    finally:
        await parser.close()
    assert not sprung.exists()


async def test_archives_are_opened_in_the_child_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("nothing.txt", "x")
    monkeypatch.setattr(zipfile, "ZipFile", None)
    parser = Parser(RagSettings())
    try:
        with pytest.raises(UnreadableDocument, match="is an archive"):
            await parser.parse(buffer.getvalue(), "a.docx")
    finally:
        await parser.close()


def test_the_directory_of_an_archive_of_many_files_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZipFile", None)
    data = b"PK\x03\x04" + b"PK\x01\x02" * (kinds._MAX_MEMBERS + 1)
    with pytest.raises(UnreadableDocument, match="files"):
        kinds.detect(data, "a.docx")


def test_a_child_out_of_memory_while_it_answers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = frames.answer

    def short(found: Parsed | MainspringError, size: int) -> list[bytes]:
        if isinstance(found, Parsed):
            raise MemoryError
        return answer(found, size)

    monkeypatch.setattr(frames, "answer", short)
    frame = child.answered(b"words", frames.ReadRequest("a.txt", 5, Options(), 1.0))
    error = heard(frame)
    assert isinstance(error, UnreadableDocument)
    assert "memory" in error.message


def test_nothing_in_the_product_unpickles() -> None:
    root = Path(mainspring.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {name.split(".")[0] for name in names} & {
                "pickle",
                "marshal",
                "shelve",
                "dill",
                "cloudpickle",
                "joblib",
            }:
                found.append(path.name)
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                found += [path.name] if not (isinstance(node.value, ast.Constant) and node.value.value is False) else []
    assert not found
