"""``mainspring rag graph``: built, shown, searched and followed without a server."""

from __future__ import annotations

import pytest

from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller
from tests.cli.command import Command, data


@pytest.fixture
def films(command: Command) -> Command:
    """A collection of two documents that were ingested without graphs."""
    pulled = Puller(Settings()).pull("all-minilm-l6-v2")
    models = command.place / "models"
    models.mkdir()
    (models / pulled.directory.name).symlink_to(pulled.directory)
    command.settings |= {"MAINSPRING_MODELS__DIRECTORY": str(models), "PIP_NO_INDEX": "1"}
    folder = command.place / "films"
    folder.mkdir()
    (folder / "pier.md").write_text("# Long Pier\n\nLong Pier is a drama film directed by Ada Holm.\n")
    (folder / "ada.md").write_text("# Ada Holm\n\nAda Holm was born in Tromsø.\n")
    command.settings |= {"MAINSPRING_RAG__GRAPH": "off"}
    command.said("ingest", "films", "films")
    command.settings |= {"MAINSPRING_RAG__GRAPH": "rules"}
    return command


def test_built_shown_and_followed(films: Command) -> None:
    built = data(films.said("rag", "graph", "build", "films", "--json"))
    assert (built["documents"], built["tokens"], built["problems"]) == (2, 0, [])
    path = data(films.said("rag", "graph", "path", "films", "long pier", "Tromsø", "--json"))
    assert path["path"] == "Long Pier -directed by-> Ada Holm -born in-> Tromsø"
    assert [step["source"] for step in path["steps"]] == ["pier.md", "ada.md"]
    assert "born in" in films.said("rag", "graph", "show", "films", "Ada Holm")
    found = data(films.said("rag", "graph", "search", "films", "who directed Long Pier?", "--json"))
    assert {hit["source"] for hit in found["hits"]} == {"pier.md", "ada.md"}
    assert [step["name"] for step in found["steps"]] == ["retrieve", "graph"]
