"""``mainspring rag export``, ``import``, ``recall`` and ``reindex``, one after the other on one collection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from mainspring.core.errors import Conflict, ModelNotPulled
from tests.cli.command import data
from tests.cli.conftest import MODEL

Said = Callable[..., str]


@pytest.fixture
def said(done: Callable[..., Result]) -> Said:
    """What a command says on standard output."""
    return lambda *arguments, **settings: str(done(*arguments, **settings).stdout)


def test_a_collection_travels_and_is_measured_and_moved(said: Said, tmp_path: Path) -> None:
    (tmp_path / "otters.md").write_text("# Otters\n\nSea otters sleep on their backs and hold hands.\n")
    (tmp_path / "crabs.md").write_text("# Crabs\n\nCrabs walk sideways.\n")
    said("ingest", "notes", "otters.md", "crabs.md")
    written = said("rag", "export", "notes", "notes.zip")
    assert written.startswith(f"notes: 2 documents, 2 chunks with vectors of {MODEL} in notes.zip (")
    with pytest.raises(Conflict, match=r"the file notes\.zip exists already"):
        said("rag", "export", "notes", "notes.zip")
    with pytest.raises(Conflict, match=r"the collection notes exists already\. Choose another name with --name"):
        said("rag", "import", "notes.zip")

    # The vectors' own model serves, whichever the configured one is; where it is not here it is not fetched unasked.
    other = {"MAINSPRING_MODELS__EMBEDDING": "e5-small-v2"}
    read = said("rag", "import", "notes.zip", "--name", "other", home="elsewhere", **other)
    assert read == f"other: 2 documents, 2 chunks with vectors of {MODEL}\n"
    with pytest.raises(ModelNotPulled, match=MODEL):
        said("rag", "import", "notes.zip", MAINSPRING_MODELS__DIRECTORY=str(tmp_path / "none"), **other)
    read = said("rag", "import", "notes.zip", home="elsewhere")
    assert read == f"notes: 2 documents, 2 chunks with vectors of {MODEL}\n"
    found = data(said("rag", "import", "notes.zip", "--name", "anew", "--reembed", "--json", home="elsewhere"))
    assert found.pop("id").startswith("vs_")
    assert found == {"collection": "anew", "embedder": MODEL, "documents": 2, "kept": 0, "chunks": 2}

    lines = said("rag", "recall", "notes", "--k", "1", home="elsewhere").splitlines()
    assert lines[0] == "notes: 2 searches for stored vectors, one of a document, at each effort"
    assert lines[1].split() == ["EFFORT", "RECALL@1", "P50", "MS", "P95", "MS"]
    assert [line.split()[:2] for line in lines[2:]] == [[f"{n / 4:.2f}", "1.0000"] for n in range(5)]
    moved = said("rag", "reindex", "notes", "--embedder", MODEL, home="elsewhere")
    assert moved == f"notes is now embedded with {MODEL}\n"
    assert data(said("rag", "recall", "notes", "--json", home="elsewhere"))["searches"] == 2
