"""The file of a gate: questions or messages, and errors that name line and field."""

from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Message
from mainspring.features.evaluate.gates.cases import read


def test_questions_and_messages_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(
        '{"question": "Where?", "reference": "here", "source": "a"}\n'
        '{"id": "x", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}], '
        '"references": ["me", "I"]}\n'
    )
    first, second = read(path)
    assert (first.id, first.messages, first.references, first.group) == (
        "1",
        (Message("user", "Where?"),),
        ("here",),
        "a",
    )
    assert (second.id, second.messages[-1].content, second.references) == ("x", "Who?", ("me", "I"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing", "line 1 is not JSON"),
        ("[]", "line 1 is not a JSON object"),
        ('{"question": "a"}', "references must be"),
        ('{"reference": "a"}', "needs a question"),
        ('{"question": "a", "messages": [], "reference": "a"}', "needs a question"),
        ('{"messages": [{"role": "robot", "content": "a"}], "reference": "a"}', "a message needs a role"),
        ('{"messages": [{"role": "assistant", "content": "a"}], "reference": "a"}', "the last message"),
        ('{"id": 1, "question": "a", "reference": "a"}\n' * 2, "two cases of one id"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidRequest, match=said):
        read(path)


def test_a_scorer_reads_more_than_references(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(
        '{"question": "Where?", "refused": true, "passages": ["Here."], "tags": {"suite": "near miss"}}\n'
        '{"id": 0, "question": "Who?", "extra": {"attack": {"word": "zudoba"}}}\n'
    )
    first, second = read(path, referenced=False)
    assert (first.refused, first.passages, first.references) == (True, ("Here.",), ())
    assert (second.id, second.extra["attack"]["word"]) == ("0", "zudoba")
    with pytest.raises(InvalidRequest, match="line 1: references must be"):
        read(path)
