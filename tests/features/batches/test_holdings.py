"""No content of a file of requests prevents the export or the erasure of a person's data."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.features.batches.holdings import BatchLines
from mainspring.stores.documents.files import REQUESTS
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData

THEIRS = json.dumps({"custom_id": "a", "body": {"user": "ada", "messages": []}})


@pytest.mark.parametrize(
    "line",
    [
        '{"body": ' + '{"a": ' * 5000 + "1" + "}" * 5001,
        "[" * 5000,
        '{"custom_id": "x", "response": "ada"}',
        '{"custom_id": "x", "response": {"body": {"id": ["ans"]}}}',
        '{"custom_id": "x", "response": [1], "error": 5, "body": [2]}',
        "\ud800\0",
    ],
    ids=["deep", "open", "text", "list for an id", "no objects", "no text"],
)
async def test_lines_of_any_form_are_looked_through(tmp_path: Path, line: str) -> None:
    data = f"{line}\n{THEIRS}".encode("utf-8", "surrogatepass")
    async with stores.open(Settings(home=tmp_path)) as opened:
        kept = await opened.files.add("a", "requests.jsonl", data, REQUESTS)
        lines = next(each for each in opened.holdings if isinstance(each, BatchLines))
        ada, held = Subject("a", "user", "ada"), SubjectData({"ans_1": SubjectAnswer("ans_1", "", 1.0)})
        found = await lines.find(ada, held, time.time() + 1)
        assert [json.loads(each["line"])["custom_id"] for each in found] == ["a"]
        assert await lines.erase(ada, held, time.time() + 1) == 1
        assert b'"ada", "messages"' not in await opened.files.content("a", kept.id)
