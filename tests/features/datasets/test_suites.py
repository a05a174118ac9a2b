"""Suites: questions that documents answer, and near misses; what a model makes up is dropped."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.features.datasets.make.suites import SuiteWish
from mainspring.stores.sql.pages import Slice
from tests.features.experiments.world import Lab, lab

PASSAGES = {
    "leases": "The lease of garage 12 in Leeds began in spring and it lasts two years, after which it may be renewed.",
    "pets": "Dogs and cats may live in the flat if the owner of the house agrees to it in a letter before they come.",
    "short": "Too short.",
}
WRITTEN = {
    "leases": {"question": "How long does the lease of garage 12 last?", "answer": "two years"},
    "pets": {"question": "What may live in the flat?", "answer": "elephants"},
}


class Library:
    """Documents of one chunk each."""

    async def documents_page(self, *_: Any) -> Slice[Any]:
        return Slice([SimpleNamespace(document_id=name) for name in PASSAGES], False)

    async def chunks(self, _principal: Any, _name: str, document: str) -> tuple[None, list[Any]]:
        return None, [SimpleNamespace(text=PASSAGES[document])]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as opened:
        object.__setattr__(opened.rooms, "library", Library())
        yield opened


async def test_questions_with_their_passage_and_near_misses_and_nothing_made_up(home: Lab) -> None:
    told = {PASSAGES[name]: json.dumps(written) for name, written in WRITTEN.items()}
    home.home.serve("writer", lambda generation: [told[generation.messages[-1].content]])
    assert await home.data.from_collection(Context(home.who), "suite", SuiteWish("houses", "writer")) == 1
    answerable, miss = await home.data.examples(home.who, "suite")
    assert (answerable.question, answerable.references) == (WRITTEN["leases"]["question"], ("two years",))
    assert (answerable.passages, answerable.refused, answerable.group) == ((PASSAGES["leases"],), False, "leases")
    assert (miss.refused, miss.references, miss.passages, miss.group) == (True, (), (), "leases")
    assert miss.question.startswith("How long does the lease of garage ")
    assert "12" not in miss.question


async def test_a_model_that_writes_nothing_of_use_is_told(home: Lab) -> None:
    home.home.serve("writer", lambda _: ["I cannot do that."])
    with pytest.raises(InvalidRequest, match="wrote no question"):
        await home.data.from_collection(Context(home.who), "suite", SuiteWish("houses", "writer"))
