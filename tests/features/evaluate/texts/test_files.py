"""Files of examples: their fields under the names that others use, and errors that name line and field."""

from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.features.evaluate.texts.files import read


def test_fields_may_have_their_usual_names(tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    path.write_text(
        '{"prediction": "a", "references": ["b", "c"], "source": "s", "id": 7}\n\n{"output": "d", "target": "e"}\n'
    )
    first, second = read(path)
    assert (first.id, first.prediction, first.references, first.source) == ("7", "a", ("b", "c"), "s")
    assert (second.id, second.prediction, second.references, second.source) == ("3", "d", ("e",), "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no examples"),
        ("{", "line 1 is not JSON"),
        ("[1]", "line 1 is not a JSON object"),
        ('{"reference": "a"}', "line 1 has no prediction"),
        ('{"prediction": "a"}', "line 1 has no references"),
        ('{"prediction": 1, "reference": "a"}', "prediction is not text"),
        ('{"prediction": "a", "reference": []}', "references are"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "examples.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidRequest, match=said):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read(tmp_path / "none.jsonl")
